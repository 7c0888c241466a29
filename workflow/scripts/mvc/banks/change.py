"""How much mixing changes: distances of mixed embeddings from their bases, edits without effect.

Also the control of mixing: noise of the same size in place of the edits.

Axes: k captions, n recipes, m context tokens, d text width.
"""

from collections.abc import Iterator, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from mvc.banks.mixing import materialise
from mvc.banks.recipes import Recipes, stack_recipes
from mvc.console.progress import progress


def compare_with_base(
    tokens: Float[Tensor, "k m d"], recipes: Recipes, mixed: Float[Tensor, "n m d"]
) -> Float[Tensor, " n"]:
    """L2 distance of each mixed embedding from its base, as a share of the base's norm."""
    base = tokens[recipes.base].float().flatten(1)
    return (mixed.float().flatten(1) - base).norm(dim=1) / base.norm(dim=1)


def measure_changes(
    tokens: Float[Tensor, "k m d"], recipes: Recipes, *, batch_size: int = 256
) -> Float[Tensor, " n"]:
    """The relative change of every recipe, a batch at a time."""
    batches = (recipes[i : i + batch_size] for i in range(0, len(recipes), batch_size))
    batches = progress(batches, total=len(recipes), unit="recipes measured", count=len)
    parts = [compare_with_base(tokens, batch, materialise(tokens, batch)) for batch in batches]
    return torch.cat(parts)


def choose_edits(
    tokens: Float[Tensor, "k m d"], rows: Sequence[Mapping], edits: str
) -> Sequence[Mapping]:
    """Recipes as they were drawn (`mvc`) or, as a control of mixing, with `noise` for edits."""
    return list(replace_by_noise(tokens, rows)) if edits == "noise" else rows


def replace_by_noise(tokens: Float[Tensor, "k m d"], rows: Sequence[Mapping]) -> Iterator[dict]:
    """Put Gaussian noise in place of the edits, each recipe as far from its base as before."""
    recipes = stack_recipes(rows)
    norms = torch.stack([caption.float().norm() for caption in tokens])[recipes.base]
    sds = measure_changes(tokens, recipes) * norms / tokens[0].numel() ** 0.5
    for row, sd in zip(rows, sds.tolist(), strict=True):
        yield {**row, "coarse": [], "fine": [], "noise": sd}


def measure_no_ops(tokens: Float[Tensor, "k m d"], recipes: Recipes) -> float:
    """Share of edits without effect: the donor equals the base in the rows or elements copied.

    Captions of one class share the start token and the prefix, and a causal text tower gives
    these rows the same state in all of them: edits there change nothing.
    """
    no_ops, edits = 0, 0
    for i in progress(range(len(recipes)), total=len(recipes), unit="recipes checked"):
        base = tokens[recipes.base[i]]
        for donor, first, last in recipes.coarse[i].tolist():
            if last >= first:
                no_ops += torch.equal(base[first : last + 1], tokens[donor, first : last + 1])
                edits += 1
        for donor, row, first, last in recipes.fine[i].tolist():
            if last >= first:
                part = slice(first, last + 1)
                no_ops += torch.equal(base[row, part], tokens[donor, row, part])
                edits += 1
    return no_ops / edits if edits else 0.0
