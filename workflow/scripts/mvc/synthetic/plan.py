"""Plan of a synthetic set: what each image is made from, and its provenance in the shard."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pyarrow as pa

from mvc.banks.recipes import Recipes, leave_unmixed, read_recipes
from mvc.core import image_tables
from mvc.core.counts import slice_shard
from mvc.core.hashing import digest_files
from mvc.core.seeds import derive_seed
from mvc.synthetic.constant import has_one_colour


@dataclass(frozen=True)
class Plan:
    """The images of one shard.

    `sources` are rows of the training images: the conditioning image x' of the fine-tuned
    generator, the image whose caption the pre-trained one takes. `indices` number the images of
    the whole set, `places` those of this generator alone, both over all shards.
    """

    generator: str
    indices: Sequence[int]
    places: Sequence[int]
    labels: list[int]
    recipes: Recipes
    bank_ids: list[int | None]
    sources: list[int]
    seeds: list[int]


def assign_entries(generator: str, bank: pa.Table, share: float | int) -> dict[str, np.ndarray]:
    """Assign the bank's entries to generators: all to one, or for `mixed` a part to each.

    The pre-trained generator has a share of each class's entries, spread evenly. Image i of the
    mixed set is image i of its generator's pure set up to rounding: there it is in another batch.

    Args:
        generator: finetuned, pretrained or mixed.
        bank: recipes of all classes.
        share: of pre-trained images in `mixed`.

    Returns:
        For each generator a mask over the entries.
    """
    every = np.ones(len(bank), bool)
    if generator != "mixed":
        return {generator: every}
    step, counts, pretrained = Fraction(str(share)), Counter(), ~every
    for i, label in enumerate(bank["label"].to_pylist()):
        counts[label] += 1
        pretrained[i] = counts[label] * step // 1 > (counts[label] - 1) * step // 1
    return {"finetuned": ~pretrained, "pretrained": pretrained}


def make_plan(
    generator: str,
    bank: pa.Table,
    train_labels: Sequence[int],
    *,
    shard: int,
    shards: int,
    seed: int,
    wanted: np.ndarray | None = None,
) -> Plan:
    """Plan one shard of a set that has one image for each entry of the bank.

    Args:
        generator: `finetuned`: entry i of the bank and a random image of its class;
            `pretrained`: the unmixed caption of a random image of that class.
        bank: recipes of all classes.
        train_labels: class of each training image.
        wanted: mask over the entries; None for all.
    """
    indices = places = slice_shard(len(bank), shard, shards)
    if wanted is not None:
        indices = [i for i in indices if wanted[i]]
        places = (np.cumsum(wanted)[indices] - 1).tolist()
    rows = bank.take(pa.array(indices, pa.int64()))
    labels = rows["label"].to_pylist()
    stream = f"synthetic/{generator}/source"
    sources = choose_sources(indices, labels, train_labels, seed=seed, stream=stream)
    if generator == "finetuned":
        recipes, bank_ids = read_recipes(rows), rows["bank_id"].to_pylist()
    else:
        recipes, bank_ids = leave_unmixed(sources), [None] * len(rows)
    seeds = [derive_noise_seed(seed, generator, i) for i in indices]
    return Plan(generator, indices, places, labels, recipes, bank_ids, sources, seeds)


def tabulate_images(
    plan: Plan,
    files: Sequence[bytes],
    *,
    train: pa.Table,
    captions: pa.Table,
    digest: str,
    guidance: str,
    steps: int,
    clip_probability: Sequence[float],
) -> pa.Table:
    """Tabulate a shard: its images, and where each comes from.

    Args:
        files: the images, PNG.
        train, captions: the training images and their captions, in the same order.
        digest: of the generator's weights.
        guidance: mode and scale, for instance `text 7.5`, see `describe_generator`.
        clip_probability: CLIP's probability of each image's class.
    """
    n = len(files)
    names = dict(zip(train["label"].to_pylist(), train["class_name"].to_pylist(), strict=True))
    prompts = captions["prompt"].to_pylist()
    source_ids = train["image_id"].to_pylist()
    return image_tables.build_table(
        data=files,
        labels=plan.labels,
        class_names=[names[label] for label in plan.labels],
        image_ids=[f"{plan.generator}/{i:07d}" for i in plan.indices],
        suffix=".png",
        source_image_id=pa.array([source_ids[row] for row in plan.sources], pa.string()),
        bank_id=pa.array(plan.bank_ids, pa.int64()),
        caption=pa.array([prompts[row] for row in plan.recipes.base.tolist()], pa.string()),
        generator=pa.array([plan.generator] * n, pa.string()),
        generator_digest=pa.array([digest] * n, pa.string()),
        seed=pa.array(plan.seeds, pa.int64()),
        guidance=pa.array([guidance] * n, pa.string()),
        steps=pa.array([steps] * n, pa.int32()),
        clip_probability=pa.array(clip_probability, pa.float32()),
        constant=pa.array(map(has_one_colour, files), pa.bool_()),
    )


def describe_generator(cfg: Mapping, weights: Sequence[str]) -> dict:
    """Describe what all images of a set share: weights, guidance, steps of the solver.

    Guidance is its mode and scales, its interval if it has one, and where they are not the
    defaults the solver's order and noise levels: `text 7.5 in (0.3, 5.0] order 3 Karras`.

    Args:
        cfg: the section `synthetic`, with `diffusion`.
        weights: files of the weights; empty for a model on a hub, whose name replaces the digest.
    """
    scales = [cfg["scale"], cfg["image_scale"]] if cfg["guidance"] == "ip2p" else [cfg["scale"]]
    guidance = [cfg["guidance"], *scales]
    if cfg["interval"] is not None:
        guidance.append("in ({}, {}]".format(*cfg["interval"]))
    if cfg["order"] != 2:
        guidance.append(f"order {cfg['order']}")
    if cfg["karras"]:
        guidance.append("Karras")
    return {
        "digest": digest_files(*weights) if weights else cfg["diffusion"],
        "guidance": " ".join(map(str, guidance)),
        "steps": cfg["steps"],
    }


def merge_parts(tables: Sequence[pa.Table]) -> pa.Table:
    """Merge the generators' parts of a shard, in the order of the numbers in the images' ids."""
    table = pa.concat_tables(tables)
    numbers = [int(name.rsplit("/", 1)[1]) for name in table["image_id"].to_pylist()]
    return table.take(np.argsort(numbers, kind="stable"))


def choose_sources(
    indices: Sequence[int], labels: Sequence[int], pool: Sequence[int], *, seed: int, stream: str
) -> list[int]:
    """Choose a real image (or caption) of each image's class, uniformly.

    Args:
        indices: global indices of the images to make.
        labels: their classes.
        pool: class of each real image.
        stream: name of the random stream.

    Returns:
        Rows of the pool.

    Raises:
        ValueError: the pool has no image of a class.
    """
    members = {label: np.flatnonzero(np.asarray(pool) == label) for label in set(labels)}
    if empty := sorted(label for label, rows in members.items() if not len(rows)):
        raise ValueError(f"no training image of class {empty[0]} to condition on")
    chosen = []
    for i, label in zip(indices, labels, strict=True):
        rng = np.random.default_rng(derive_seed(seed, stream, i))
        chosen.append(int(rng.choice(members[label])))
    return chosen


def derive_noise_seed(seed: int, generator: str, index: int) -> int:
    """Derive the seed of one image's z_T."""
    return derive_seed(seed, f"synthetic/{generator}/noise", index)
