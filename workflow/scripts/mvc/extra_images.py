"""An arm's extra images: which of them are used, and that they may be."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from mvc import shards
from mvc.batches import wanted
from mvc.labelled import EXTRA_COLUMNS, Labelled, check_sources, coloured_like, labelled


def read_extra(
    paths: str | Path | Sequence[str | Path],
    train: Labelled,
    *,
    generator: str,
    per_real: int | float | None,
    size: int | None,
) -> Labelled:
    """The extra images of an arm, as the training images are.

    Args:
        paths: shards of one generator, in the order of their images.
        per_real: use so many for each training image of a class, the first ones; None: all.
        size: side in pixels, None the native one.

    Raises:
        ValueError: a class has fewer, or a source is no training image where it must be.
    """
    table = shards.read(paths, EXTRA_COLUMNS)
    if per_real is not None:
        table = first_of_classes(table, train, per_real)
    extra = labelled(table, size=size)
    check_sources(train, extra, generator)
    return coloured_like(train, extra)


def first_of_classes(table: pa.Table, train: Labelled, per_real: int | float) -> pa.Table:
    """The first ceil(per_real x K_y) extra images of each class y with K_y training images.

    Raises:
        ValueError: a class has fewer.
    """
    labels = np.asarray(table["label"])
    kept = ~np.isin(labels, list(train.class_names))  # left for `check_classes` to refuse
    for label, name in train.class_names.items():
        n = wanted(per_real, int((train.labels == label).sum()))
        rows = (labels == label).nonzero()[0]
        if len(rows) < n:
            raise ValueError(
                f"classifiers.per_real = {per_real}: class {name!r} has {len(rows)} extra images "
                f"of the {n} wanted; must be at most banks.per_real"
            )
        kept[rows[:n]] = True
    return table.filter(pa.array(kept))
