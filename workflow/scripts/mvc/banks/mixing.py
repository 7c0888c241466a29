"""Mixing visual concepts: Algorithm 1 as recipes, and the embeddings made from them (Section 3.2).

A recipe names the base caption and which rows or elements come from which donors, in about 100
bytes; `materialise` makes the tensors where they are needed, on any device.

Axes: k captions, n recipes, p coarse edits, q fine edits, m context tokens, d text width.
Rows and elements count from 0, `first` and `last` both included.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mvc.banks.recipes import Recipes
from mvc.core.seeds import derive_seed


def mix(
    sources: Sequence[int],
    *,
    count: int,
    coarse: int,
    fine: int,
    rows: tuple[int, int],
    width: int,
    base: str,
    seed: int,
    first_id: int,
) -> Iterator[dict]:
    """Draw the recipes of one class (Algorithm 1, lines 3 to 17).

    Donors are always original captions of the class, never the base (line 6). Each recipe has
    its own random stream, so recipe i does not depend on how many are drawn. Yields rows of
    bank.parquet without the label and the change.

    Args:
        sources: the class's captions, as rows of the embeddings.
        count, coarse, fine: N recipes to draw; their P and Q edits, none for a single caption.
        rows, width: first and last row that edits may touch; d.
        base: `uniform`, with replacement, or `round_robin`, each caption in turn.
        seed, first_id: the stage's seed; the bank id of the first recipe.
    """
    for i in range(first_id, first_id + count):
        stream = derive_seed(seed, "banks", i)
        rng = np.random.default_rng(stream)
        turn = int(rng.integers(len(sources)))
        if base == "round_robin":
            turn = (i - first_id) % len(sources)
        p, q = (0, 0) if len(sources) == 1 else (coarse, fine)
        yield {
            "bank_id": i,
            "base": sources[turn],
            "coarse": [_draw_coarse(rng, sources, turn, rows) for _ in range(p)],
            "fine": [_draw_fine(rng, sources, turn, rows, width) for _ in range(q)],
            "seed": stream,
        }


def mix_classes(
    labels: Sequence[int],
    tokens: Float[Tensor, "k m d"],
    n_tokens: Int[Tensor, " k"],
    *,
    counts: Mapping[int, int],
    coarse: int,
    fine: int,
    rows: str,
    base: str,
    seed: int,
) -> Iterator[dict]:
    """Draw the recipes of every class, classes in the order of their labels.

    Yields rows of bank.parquet without the change.

    Args:
        labels, tokens, n_tokens: class, embedding and length in tokens of each caption.
        counts: N_y, mixed embeddings of each class, by its label.
        rows: `all`, or `content`: only rows in which the captions differ and that are no padding.
    """
    m, d = tokens.shape[1:]
    first_id = 0
    for label in sorted(set(labels)):
        sources = [k for k, other in enumerate(labels) if other == label]
        count = counts[label]
        limits = find_content_rows(tokens[sources], n_tokens[sources])
        for recipe in mix(
            sources,
            count=count,
            coarse=coarse,
            fine=fine,
            rows=limits if rows == "content" else (0, m - 1),
            width=d,
            base=base,
            seed=seed,
            first_id=first_id,
        ):
            yield {"label": label, **recipe}
        first_id += count


def materialise(tokens: Float[Tensor, "k m d"], recipes: Recipes) -> Float[Tensor, "n m d"]:
    """The mixed embeddings of recipes: coarse edits by one gather of rows, then the fine ones.

    Recipes with `noise` add it to their base, from their own seed, the same on every device.
    """
    m, d = tokens.shape[1:]
    place = trace_coarse_sources(recipes, m) * m + torch.arange(m, device=tokens.device)
    mixed = tokens.reshape(-1, d).index_select(0, place.flatten()).view(-1, m, d)
    element = torch.arange(d, device=tokens.device)
    each = torch.arange(len(recipes), device=tokens.device)
    for donor, row, first, last in recipes.fine.permute(1, 2, 0):
        inside = (element >= first[:, None]) & (element <= last[:, None])
        mixed[each, row] = torch.where(inside, tokens[donor, row], mixed[each, row])
    for i in recipes.noise.nonzero().flatten().tolist():
        rng = torch.Generator().manual_seed(int(recipes.seed[i]))
        mixed[i] += (recipes.noise[i].cpu() * torch.randn(m, d, generator=rng)).to(mixed)
    return mixed


def trace_coarse_sources(recipes: Recipes, m: int) -> Int[Tensor, "n m"]:
    """The caption that each row comes from after the coarse edits, later ones over earlier."""
    row = torch.arange(m, device=recipes.base.device)
    source = recipes.base[:, None].expand(-1, m)
    for donor, first, last in recipes.coarse.permute(1, 2, 0):
        inside = (row >= first[:, None]) & (row <= last[:, None])
        source = torch.where(inside, donor[:, None], source)
    return source


def find_content_rows(
    tokens: Float[Tensor, "k m d"], n_tokens: Int[Tensor, " k"]
) -> tuple[int, int]:
    """First row in which a class's captions differ, and the last one that is no padding."""
    differs = (tokens != tokens[:1]).any(dim=2).any(dim=0).nonzero()
    last = min(int(n_tokens.max()), tokens.shape[1]) - 1
    first = int(differs[0]) if len(differs) else 0
    return (first, last) if first < last else (0, last)


def _draw_range(rng: np.random.Generator, low: int, high: int) -> tuple[int, int]:
    """Uniform over the unordered pairs first < last in [low, high]."""
    first, last = sorted(rng.choice(high - low + 1, 2, replace=False).tolist())
    return low + first, low + last


def _draw_donor(rng: np.random.Generator, sources: Sequence[int], turn: int) -> int:
    """Uniform over the class's captions without the base, which is `sources[turn]`."""
    other = int(rng.integers(len(sources) - 1))
    return sources[other + (other >= turn)]


def _draw_coarse(rng: np.random.Generator, sources: Sequence[int], turn: int, rows) -> dict:
    donor = _draw_donor(rng, sources, turn)
    first, last = _draw_range(rng, *rows)
    return {"donor": donor, "first": first, "last": last}


def _draw_fine(
    rng: np.random.Generator, sources: Sequence[int], turn: int, rows, width: int
) -> dict:
    donor = _draw_donor(rng, sources, turn)
    first, last = _draw_range(rng, 0, width - 1)
    row = int(rng.integers(rows[0], rows[1] + 1))
    return {"donor": donor, "row": row, "first": first, "last": last}
