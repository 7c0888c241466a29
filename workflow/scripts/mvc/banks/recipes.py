"""Recipes of mixed embeddings: index tensors for the arithmetic, a Parquet table for the disk.

A recipe holds edits or, as their control, the size of Gaussian noise.

Axes: n recipes, p coarse edits, q fine edits. Rows and elements count from 0, `first` and `last`
both included.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import torch
from jaxtyping import Float, Int
from torch import Tensor

COARSE = pa.list_(pa.struct({"donor": pa.int32(), "first": pa.int16(), "last": pa.int16()}))
FINE = pa.list_(
    pa.struct({"donor": pa.int32(), "row": pa.int16(), "first": pa.int16(), "last": pa.int16()})
)


@dataclass(frozen=True)
class Recipes:
    """Recipes as index tensors; an edit whose `last` is below its `first` changes nothing."""

    base: Int[Tensor, " n"]
    coarse: Int[Tensor, "n p 3"]  # donor, first, last
    fine: Int[Tensor, "n q 4"]  # donor, row, first, last
    noise: Float[Tensor, " n"]  # sd of Gaussian noise on every element; 0 for none
    seed: Int[Tensor, " n"]  # of that noise

    def __getitem__(self, rows) -> "Recipes":
        return Recipes(*(getattr(self, field)[rows] for field in self.__dataclass_fields__))

    def __len__(self) -> int:
        return len(self.base)


def leave_unmixed(captions: Sequence[int]) -> Recipes:
    """Recipes without edits: each is the embedding of one caption."""
    base = torch.tensor(captions, dtype=torch.int64)
    n = len(base)
    edits = base.new_zeros(n, 0, 3), base.new_zeros(n, 0, 4)
    return Recipes(base, *edits, torch.zeros(n), torch.zeros_like(base))


def tabulate_recipes(rows: Sequence[Mapping], change: Sequence[float]) -> pa.Table:
    """bank.parquet: one recipe per row; no edits where a class has a single caption.

    Args:
        rows: recipes as `mixing.mix_classes` draws them.
        change: relative change of each.
    """
    schema = {"bank_id": pa.int64(), "label": pa.int64(), "base": pa.int32(), "coarse": COARSE}
    schema |= {"fine": FINE, "noise": pa.float32(), "seed": pa.int64(), "change": pa.float32()}
    full = [{"noise": 0.0, **row, "change": v} for row, v in zip(rows, change, strict=True)]
    return pa.Table.from_pylist(full, pa.schema(schema))


def read_recipes(table: pa.Table) -> Recipes:
    """The recipes of a bank as index tensors."""
    return stack_recipes(table.select(["base", "coarse", "fine", "noise", "seed"]).to_pylist())


def stack_recipes(rows: Sequence[Mapping]) -> Recipes:
    """Recipes as index tensors; shorter lists of edits are padded with empty edits."""
    return Recipes(
        torch.tensor([row["base"] for row in rows], dtype=torch.int64),
        _pad_edits([row["coarse"] for row in rows], ("donor", "first", "last")),
        _pad_edits([row["fine"] for row in rows], ("donor", "row", "first", "last")),
        torch.tensor([row.get("noise", 0.0) for row in rows], dtype=torch.float32),
        torch.tensor([row.get("seed", 0) for row in rows], dtype=torch.int64),
    )


def _pad_edits(lists: Sequence[Sequence[Mapping]], fields: tuple[str, ...]) -> Tensor:
    longest = max((len(edits) for edits in lists), default=0)
    out = torch.zeros(len(lists), longest, len(fields), dtype=torch.int64)
    out[..., -1] = -1  # last below first: nothing to copy
    for i, edits in enumerate(lists):
        for j, edit in enumerate(edits):
            out[i, j] = torch.tensor([edit[field] for field in fields])
    return out
