"""Sheets of freshly sampled images: what fine-tuning learnt, and what each kind of mixing does."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from mvc.banks import mixing
from mvc.banks.mixing import materialise
from mvc.banks.recipes import Recipes, leave_unmixed, stack_recipes
from mvc.console.progress import progress
from mvc.core.decoding import decode
from mvc.core.image_tables import get_bytes, read_class_names
from mvc.figures import grid
from mvc.synthetic.plan import noise_seed
from mvc.synthetic.sampler import Painter

CELL = 56  # pixels of an image on a sheet, about
LOOKED_AT = 100  # a class's first recipes: there is a good mixture among them
MOST_CLASSES = 5  # of Figure 6, whose rows are wide


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


def paint(painter: Painter, recipes: Recipes, seeds, sources, *, side: int) -> list[Image.Image]:
    """All images of recipes, as pictures."""
    batches = painter.paint(recipes, seeds, sources, side=side)
    batches = progress(batches, total=len(seeds), unit="images", count=len)
    arrays = torch.cat(list(batches)).permute(0, 2, 3, 1).numpy()
    return [Image.fromarray(array) for array in arrays]


def mixing_sheet(
    painter: Painter,
    train: pa.Table,
    tokens: Tensor,
    *,
    kinds: Mapping[str, tuple[int, int]],
    each: int,
    classes: int,
    side: int,
    cell: int,
    seed: int,
) -> tuple[Image.Image, list[dict]]:
    """Figure 2: in a column one real image, and mixtures that share all but their edits.

    Args:
        kinds: title of a group of rows, and its coarse and fine edits.
        each: mixtures of a kind.
        classes: columns.

    Returns:
        The sheet; and how far each mixture's image is from that of the unmixed caption, as a mean
        absolute difference of pixels in 0..255, with other noise's for comparison.
    """
    labels, contents = train["label"].to_pylist(), get_bytes(train)
    names = dict(list(read_class_names(train).items())[:classes])
    base = [labels.index(label) for label in names]
    rows: list[Sequence] = [[decode(contents[row]) for row in base]]
    titles = ["real"]
    seeds = [noise_seed(seed, "figure2", column) for column in range(len(base))]
    sources = [contents[row] for row in base]
    plain = paint(painter, leave_unmixed(base), seeds, sources, side=side)
    changes = []

    def compared(kind: str, variant: int, images: Sequence[Image.Image]) -> None:
        for name, image, other in zip(names.values(), images, plain, strict=True):
            far = np.abs(np.asarray(image, float) - np.asarray(other, float)).mean()
            told = {"class_name": name, "image": variant + 1, "change": round(float(far), 4)}
            changes.append({"kind": kind, **told})

    for title, (coarse, fine) in kinds.items():
        for variant in range(each):
            recipes = stack_recipes(
                [
                    _variant(labels, row, tokens, coarse, fine, seed, variant * len(base) + column)
                    for column, row in enumerate(base)
                ]
            )
            rows.append(paint(painter, recipes, seeds, sources, side=side))
            titles.append(title if variant == 0 else "")
            compared(" ".join(title.split()), variant, rows[-1])
    for variant in range(each):
        first = variant * len(base)
        other = [noise_seed(seed, "figure2/other", first + i) for i in range(len(base))]
        made = paint(painter, leave_unmixed(base), other, sources, side=side)
        compared("other noise", variant, made)
    sheet = grid.grid(rows, titles, list(names.values()), grid.scale_to(side, cell))
    return sheet, changes


def source_sheet(
    painters: Mapping[str, Painter],
    train: pa.Table,
    bank: pa.Table,
    *,
    images: int,
    classes: int,
    side: int,
    cell: int,
    seed: int,
) -> tuple[Image.Image, list[dict]]:
    """Figure 6: in a row two real images, and mixtures of them by one recipe of the bank.

    A generator that takes an image is given A and B in turn.

    Args:
        painters: title of a generator's columns, and the generator.
        images: mixtures by each generator, which differ in their noise.
        classes: rows, `MOST_CLASSES` at most.

    Returns:
        The sheet, and a record of each column and class: recipe, images, shares, seed.
    """
    names = dict(list(read_class_names(train).items())[: min(classes, MOST_CLASSES)])
    tokens = next(iter(painters.values())).tokens
    found = {
        name: most_mixed(bank.filter(pc.equal(bank["label"], y))[:LOOKED_AT].to_pylist(), tokens)
        for y, name in names.items()
    }
    contents, ids = get_bytes(train), train["image_id"].to_pylist()
    records = list(_records(found, ids, images, seed))
    recipes = stack_recipes([found[record["class_name"]].recipe for record in records])
    sources = [contents[ids.index(record["conditioned_on"])] for record in records]
    seeds = [record["seed"] for record in records]
    rows = [
        [None if row is None else decode(contents[row]) for row in (mixture.base, mixture.donor)]
        for mixture in found.values()
    ]
    for painter in painters.values():
        given = sources if painter.conditioned else None
        made = paint(painter, recipes, seeds, given, side=side)
        for i, row in enumerate(rows):
            row += made[i * images : (i + 1) * images]
    titles = [_title(name, mixture) for name, mixture in found.items()]
    spans = [1, 1, *[images] * len(painters)]
    scale = grid.scale_to(side, cell)
    return grid.grid(rows, titles, ["real A", "real B", *painters], scale, spans=spans), records


def _records(
    found: Mapping[str, Mixture], ids: Sequence[str], images: int, seed: int
) -> Iterator[dict]:
    for i, (name, mixture) in enumerate(found.items()):
        pair = [ids[row] for row in (mixture.base, mixture.donor) if row is not None]
        for image in range(images):
            yield {
                "class_name": name,
                "image": image + 1,
                "bank_id": mixture.recipe["bank_id"],
                "base_image_id": pair[0],
                "donor_image_id": pair[1] if len(pair) > 1 else None,
                "base_share": round(mixture.base_share, 4),
                "donor_share": round(mixture.donor_share, 4),
                "seed": noise_seed(seed, "figure6", i * images + image),
                "conditioned_on": pair[image % len(pair)],
            }


def _title(name: str, mixture: Mixture) -> str:
    shares = f"{100 * mixture.base_share:.0f} % A, {100 * mixture.donor_share:.0f} % B"
    return f"{name}\nrecipe {mixture.recipe['bank_id']}\n{shares}"


def _variant(labels, row, tokens, coarse, fine, seed, index) -> dict:
    """A recipe with a given base: the first drawn from it."""
    own = [k for k, label in enumerate(labels) if label == labels[row]]
    own = [row, *(k for k in own if k != row)]  # round robin starts with the base
    m, d = tokens.shape[1:]
    draw = dict(rows=(0, m - 1), width=d, base="round_robin", seed=seed, first_id=index)
    return next(iter(mixing.mix(own, count=1, coarse=coarse, fine=fine, **draw)))


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
    mixed = materialise(tokens, stack_recipes([recipe]))[0]
    for donor in sorted({edit["donor"] for edit in [*recipe["coarse"], *recipe["fine"]]}):
        differ = base != tokens[donor]
        own, others = ((mixed == part) & differ for part in (base, tokens[donor]))
        yield recipe, donor, int(own.sum()), int(others.sum()), int(differ.sum())
