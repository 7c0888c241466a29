"""An arm's extra images: which of them are used, and that they may be."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from mvc.core import image_tables
from mvc.core.image_set import EXTRA_COLUMNS, Labelled, coloured_like, labelled
from mvc.core.leakage import check_sources
from mvc.training.strategies import wanted

CONSISTENCY = "consistency"  # column of synthetic images
NOT_ASKED = {"real", "round_trip", "reconstructed"}  # CLIP has not seen their images


def read_extra(
    paths: str | Path | Sequence[str | Path],
    train: Labelled,
    *,
    generator: str,
    per_real: int | float | None,
    prefer: str = "first",
    size: int | None,
) -> Labelled:
    """The extra images of an arm, as the training images are.

    Args:
        paths: shards of one generator, in the order of their images.
        per_real, prefer: see `part_of_classes`; None: all. Of real images the first.
        size: side in pixels, None the native one.

    Raises:
        ValueError: a class has fewer, a source is no training image where it must be, or shards
            to choose from lack CLIP's consistency.
    """
    if generator in NOT_ASKED or per_real is None:
        prefer = "first"
    table = image_tables.read(
        paths, [*EXTRA_COLUMNS, *([CONSISTENCY] if prefer == "consistent" else ())]
    )
    if per_real is not None:
        table = part_of_classes(table, train, per_real, prefer=prefer)
    extra = labelled(table, size=size)
    check_sources(train.ids, extra.ids, generator)
    return coloured_like(train, extra)


def part_of_classes(
    table: pa.Table, train: Labelled, per_real: int | float, *, prefer: str
) -> pa.Table:
    """ceil(per_real x K_y) extra images of each class y with K_y training images, in their order.

    Args:
        prefer: `first`, the first ones; `consistent`, those that CLIP most surely takes for their
            class.

    Raises:
        KeyError: `consistent`, of a table without that column.
        ValueError: a class has fewer.
    """
    labels, rank = np.asarray(table["label"]), np.arange(len(table))
    if prefer == "consistent":
        rank = np.argsort(-np.asarray(table[CONSISTENCY]), kind="stable")
    kept = ~np.isin(labels, list(train.class_names))  # left for `check_classes` to refuse
    for label, name in train.class_names.items():
        n = wanted(per_real, int((train.labels == label).sum()))
        rows = rank[labels[rank] == label]
        if len(rows) < n:
            raise ValueError(
                f"classifiers.per_real = {per_real}: class {name!r} has {len(rows)} extra images "
                f"of the {n} wanted; must be at most banks.per_real"
            )
        kept[rows[:n]] = True
    return table.filter(pa.array(kept))
