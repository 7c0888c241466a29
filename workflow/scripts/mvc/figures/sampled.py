"""Image grids of newly sampled images: what each kind of mixing does (Figures 2 and 6)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from mvc.core.image_tables import get_bytes, get_fit, read_class_names
from mvc.core.square import decode_square
from mvc.figures import grid
from mvc.synthetic.plan import derive_noise_seed
from mvc.synthetic.sampler import Sampler

CELL = 56  # approximate side of an image on a grid, in pixels
SEARCHED = 100  # first recipes of a class among which the best mixture is searched
MOST_CLASSES = 5  # in Figure 6, whose rows are wide


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


def sample_pictures(
    sampler: Sampler, recipes: Recipes, seeds: Sequence[int], sources, *, side: int, fit: str
) -> list[Image.Image]:
    """Sample one image for each recipe."""
    batches = sampler.sample(recipes, seeds, sources, side=side, fit=fit)
    batches = progress(batches, total=len(seeds), unit="images", count=len)
    arrays = torch.cat(list(batches)).permute(0, 2, 3, 1).numpy()
    return [Image.fromarray(array) for array in arrays]


def draw_mixtures(
    sampler: Sampler,
    train: pa.Table,
    tokens: Tensor,
    *,
    kinds: Mapping[str, tuple[int, int]],
    per_kind: int,
    classes: int,
    side: int,
    cell: int,
    seed: int,
) -> tuple[Image.Image, list[dict]]:
    """Draw Figure 2: per column one real image, and mixtures that differ in their edits only.

    Args:
        kinds: title of a group of rows, and its coarse and fine edits.
        per_kind: mixtures of a kind.
        classes: columns.

    Returns:
        The image grid; and how far each mixture's image is from that of the unmixed caption, as the
        mean absolute difference of pixels in 0..255; for comparison that of other noise.
    """
    labels = train["label"].to_pylist()
    contents, fit = get_bytes(train), get_fit(train)
    names = dict(list(read_class_names(train).items())[:classes])
    base = [labels.index(label) for label in names]
    sources = [contents[row] for row in base]

    def sample(recipes: Recipes, stream: str, first: int = 0) -> list[Image.Image]:
        seeds = [derive_noise_seed(seed, stream, first + i) for i in range(len(base))]
        return sample_pictures(sampler, recipes, seeds, sources, side=side, fit=fit)

    unmixed = sample(leave_unmixed(base), "figure2")
    rows: list[Sequence] = [[decode_square(data, fit) for data in sources]]
    titles = ["real"]
    changes: list[dict] = []
    for title, (coarse, fine) in kinds.items():
        for variant in range(per_kind):
            places = enumerate(base, start=variant * len(base))
            variants = [_mix_one(labels, row, tokens, coarse, fine, seed, i) for i, row in places]
            rows.append(sample(stack_recipes(variants), "figure2"))
            titles.append(title if variant == 0 else "")
            kind = " ".join(title.split())
            changes += _measure_changes(kind, variant, names.values(), rows[-1], unmixed)
    for variant in range(per_kind):
        images = sample(leave_unmixed(base), "figure2/other", variant * len(base))
        changes += _measure_changes("other noise", variant, names.values(), images, unmixed)
    scale = grid.choose_scale(side, cell)
    return grid.draw_blocks(rows, titles, list(names.values()), scale), changes


def _measure_changes(
    kind: str,
    variant: int,
    names: Iterable[str],
    images: Sequence[Image.Image],
    unmixed: Sequence[Image.Image],
) -> Iterator[dict]:
    """Measure how far each class's image is from its unmixed one."""
    for name, image, other in zip(names, images, unmixed, strict=True):
        change = np.abs(np.asarray(image, float) - np.asarray(other, float)).mean()
        yield {
            "kind": kind,
            "class_name": name,
            "image": variant + 1,
            "change": round(float(change), 4),
        }


def draw_sources(
    samplers: Mapping[str, Sampler],
    train: pa.Table,
    bank: pa.Table,
    *,
    images: int,
    classes: int,
    side: int,
    cell: int,
    seed: int,
) -> tuple[Image.Image, list[dict]]:
    """Draw Figure 6: per row two real images, and mixtures of them by one recipe of the bank.

    A generator that takes an image is conditioned on A and B in turn.

    Args:
        samplers: title of a generator's columns, and the generator.
        images: mixtures by each generator, which differ in their noise.
        classes: rows, `MOST_CLASSES` at most.

    Returns:
        The image grid, and a record of each column and class: recipe, images, shares, seed.
    """
    names = dict(list(grid.name_mixed(train, bank).items())[: min(classes, MOST_CLASSES)])
    tokens = next(iter(samplers.values())).tokens
    mixtures = {}
    for label, name in names.items():
        entries = bank.filter(pc.equal(bank["label"], label))[:SEARCHED]
        mixtures[name] = find_most_mixed(entries.to_pylist(), tokens)
    contents, fit = get_bytes(train), get_fit(train)
    ids = train["image_id"].to_pylist()
    records = list(_list_records(mixtures, ids, images, seed))
    recipes = stack_recipes([mixtures[record["class_name"]].recipe for record in records])
    sources = [contents[ids.index(record["conditioned_on"])] for record in records]
    seeds = [record["seed"] for record in records]
    rows = [
        [
            None if row is None else decode_square(contents[row], fit)
            for row in (mixture.base, mixture.donor)
        ]
        for mixture in mixtures.values()
    ]
    for sampler in samplers.values():
        conditions = sources if sampler.conditioned else None
        pictures = sample_pictures(sampler, recipes, seeds, conditions, side=side, fit=fit)
        for i, row in enumerate(rows):
            row += pictures[i * images : (i + 1) * images]
    titles = [_describe(name, mixture) for name, mixture in mixtures.items()]
    columns = ["real A", "real B", *samplers]
    spans = [1, 1, *[images] * len(samplers)]
    scale = grid.choose_scale(side, cell)
    return grid.draw_grid(rows, titles, columns, scale, spans=spans), records


def _list_records(
    mixtures: Mapping[str, Mixture], ids: Sequence[str], images: int, seed: int
) -> Iterator[dict]:
    for i, (name, mixture) in enumerate(mixtures.items()):
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
                "seed": derive_noise_seed(seed, "figure6", i * images + image),
                "conditioned_on": pair[image % len(pair)],
            }


def _describe(name: str, mixture: Mixture) -> str:
    shares = f"{100 * mixture.base_share:.0f} % A, {100 * mixture.donor_share:.0f} % B"
    return f"{name}\nrecipe {mixture.recipe['bank_id']}\n{shares}"


def _mix_one(labels, row, tokens, coarse, fine, seed, index) -> dict:
    """Mix one recipe whose base is the given row."""
    others = [k for k, label in enumerate(labels) if label == labels[row] and k != row]
    members = [row, *others]  # round robin starts with the base
    m, d = tokens.shape[1:]
    draw = dict(rows=(0, m - 1), width=d, base="round_robin", seed=seed, first_id=index)
    return next(iter(mixing.mix(members, count=1, coarse=coarse, fine=fine, **draw)))


def find_most_mixed(recipes: Sequence[Mapping], tokens: Float[Tensor, "k m d"]) -> Mixture:
    """Find among a class's first recipes the one that takes most from each of two images.

    The smaller of both parts counts: a large edit alone would give B itself.

    Args:
        recipes: rows of the bank, of one class.
        tokens: embeddings of all captions.
    """
    counts = [count for recipe in recipes[:SEARCHED] for count in _count_elements(recipe, tokens)]
    if not counts:
        return Mixture(recipes[0], recipes[0]["base"], None, 1.0, 0.0)
    recipe, donor, of_base, of_donor, differ = max(counts, key=lambda count: sorted(count[2:4]))
    total = max(differ, 1)
    return Mixture(recipe, recipe["base"], donor, of_base / total, of_donor / total)


def _count_elements(
    recipe: Mapping, tokens: Tensor
) -> Iterator[tuple[Mapping, int, int, int, int]]:
    """Count per donor the elements from the base, from the donor, and where these two differ."""
    base = tokens[recipe["base"]]
    mixed = materialise(tokens, stack_recipes([recipe]))[0]
    for donor in sorted({edit["donor"] for edit in [*recipe["coarse"], *recipe["fine"]]}):
        differ = base != tokens[donor]
        of_base, of_donor = ((mixed == part) & differ for part in (base, tokens[donor]))
        yield recipe, donor, int(of_base.sum()), int(of_donor.sum()), int(differ.sum())
