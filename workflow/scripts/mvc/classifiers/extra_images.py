"""Extra images of an arm: which are used, by the CLIP filter or in order, and leakage check."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from mvc.core import image_tables
from mvc.core.counts import PerReal, count_extra
from mvc.core.image_set import EXTRA_COLUMNS, Labelled, load_labelled, match_grayscale
from mvc.core.leakage import check_sources

CLIP_PROBABILITY = "clip_probability"  # column of synthetic images
UNSAMPLED = {"real", "real_vae", "train_vae"}  # real images, as they are or through the VAE


def pick_extra(settings: Mapping) -> dict:
    """Pick the settings of a run that say which extra images it uses: arguments of `read_extra`."""
    chosen = {key: settings[key] for key in ("per_real", "per_class", "select") if key in settings}
    return {"generator": settings["extra"], **chosen}


def read_extra(
    paths: str | Path | Sequence[str | Path],
    train: Labelled,
    *,
    generator: str | None,
    per_real: PerReal = None,
    per_class: int | None = None,
    select: str = "first",
    size: int | None,
) -> Labelled | None:
    """Read an arm's extra images, in the colours of the training images; None without a generator.

    Args:
        paths: shards of one generator, in the order of their images.
        per_real, per_class: see `count_extra`; None for both reads all images.
        select: see `select_per_class`; of real images always the first, since CLIP scores none.
        size: side in pixels; None keeps the native size.

    Raises:
        ValueError: a class has too few images, a source is not a training image although it must
            be, or the CLIP filter finds no clip_probability in the shards.
    """
    if generator is None:
        return None
    every = per_real is None and per_class is None
    if generator in UNSAMPLED or every:
        select = "first"
    scores = [CLIP_PROBABILITY] if select == "clip" else []
    table = image_tables.read(paths, [*EXTRA_COLUMNS, *scores])
    if not every:
        table = select_per_class(
            table, train, per_real=per_real, per_class=per_class, select=select
        )
    extra = load_labelled(table, size=size)
    check_sources(train.ids, extra.ids, generator)
    return match_grayscale(train, extra)


def select_per_class(
    table: pa.Table,
    train: Labelled,
    *,
    per_real: PerReal = None,
    per_class: int | None = None,
    select: str,
) -> pa.Table:
    """Select the images of each class that `count_extra` allows, in order.

    Args:
        per_real, per_class: see `count_extra`.
        select: `first` takes the first images, `clip` those of the highest clip_probability.

    Raises:
        KeyError: `clip` on a table without clip_probability.
        ValueError: a class has too few images.
    """
    labels = np.asarray(table["label"])
    rank = np.arange(len(table))
    if select == "clip":
        rank = np.argsort(-np.asarray(table[CLIP_PROBABILITY]), kind="stable")
    kept = ~np.isin(labels, list(train.class_names))  # left for `check_classes` to refuse
    sizes = {name: int((train.labels == y).sum()) for y, name in train.class_names.items()}
    wanted = count_extra(sizes, per_real=per_real, per_class=per_class, section="classifiers")
    for label, name in train.class_names.items():
        n = wanted[name]
        rows = rank[labels[rank] == label]
        if len(rows) < n:
            key, value = ("per_real", per_real) if per_class is None else ("per_class", per_class)
            raise ValueError(
                f"classifiers.{key} = {value}: class {name!r} has {len(rows)} extra images "
                f"of the {n} wanted; must be <= banks.{key}"
            )
        kept[rows[:n]] = True
    return table.filter(pa.array(kept))
