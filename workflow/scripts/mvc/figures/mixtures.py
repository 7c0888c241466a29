"""Which two real images a recipe mixes, and how much of each there is in it (Figure 6).

Axes: k captions, m context tokens, d text width; caption k is that of training image k.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from mvc.banks.mixing import materialise
from mvc.banks.recipes import from_rows

LOOKED_AT = 100  # a class's first recipes: there is a good mixture among them


@dataclass(frozen=True)
class Mixture:
    """A recipe as a mixture of two images, A and B: the base caption's and one donor's.

    Shares are those of the elements in which the embeddings of A and B differ; the rest comes from
    other donors. Without a donor, B is None.
    """

    recipe: Mapping
    base: int
    donor: int | None
    base_share: float
    donor_share: float


def most_mixed(recipes: Sequence[Mapping], tokens: Float[Tensor, "k m d"]) -> Mixture:
    """Of a class's first recipes the one that takes most from each of two images.

    A mixture holds no more than the smaller of both parts; a large edit alone would be B itself.

    Args:
        recipes: rows of the bank, of one class.
        tokens: embeddings of all captions.
    """
    found = [parts for recipe in recipes[:LOOKED_AT] for parts in _parts(recipe, tokens)]
    if not found:
        return Mixture(recipes[0], recipes[0]["base"], None, 1.0, 0.0)
    recipe, donor, own, others, differ = max(found, key=lambda parts: sorted(parts[2:4]))
    return Mixture(recipe, recipe["base"], donor, own / max(differ, 1), others / max(differ, 1))


def _parts(recipe: Mapping, tokens: Tensor) -> Iterator[tuple[Mapping, int, int, int, int]]:
    """For each donor of a recipe: elements from the base, from it, and in which the two differ."""
    base = tokens[recipe["base"]]
    mixed = materialise(tokens, from_rows([recipe]))[0]
    for donor in sorted({edit["donor"] for edit in [*recipe["coarse"], *recipe["fine"]]}):
        differ = base != tokens[donor]
        own, others = ((mixed == part) & differ for part in (base, tokens[donor]))
        yield recipe, donor, int(own.sum()), int(others.sum()), int(differ.sum())
