"""Which synthetic images are used, and why not the others: one answer for all who ask.

Classifiers train on these images, `augmented` delivers them, the report marks them.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Int

from mvc.core.counts import PerReal, count_extra

CLIP_PROBABILITY = "clip_probability"  # column of synthetic images
RANK = "rank"


class Mark(NamedTuple):
    """Whether an image is used, which filter drops it, and the reason in words."""

    dropped_by: str | None
    reason: str

    @property
    def kept(self) -> bool:
        return self.dropped_by is None


def choose_rows(
    table: pa.Table,
    labels: Int[np.ndarray, " m"],
    class_names: Mapping[int, str],
    *,
    per_real: PerReal = None,
    per_class: int | None = None,
    select: str,
    section: str = "classifiers",
    dropped: Mapping[int, Mark] | None = None,
) -> list[Mark]:
    """Choose the images of each class that `count_extra` allows, among those no filter drops.

    Args:
        table: the n synthetic images: `label`, and `clip_probability` where `select` is clip.
        labels, class_names: of the m training images. Images of other classes are kept, for
            `check_classes` to refuse.
        per_real, per_class: see `count_extra`; None for both keeps all images.
        select: `first` takes the first images, `clip` those of the highest clip_probability.
        section: of the configuration that says so. Of `augmented` they are the most that is wanted.
        dropped: rows that a filter drops, whatever their rank.

    Returns:
        A mark for each image.

    Raises:
        KeyError: `clip` on a table without clip_probability.
        ValueError: a class has too few images for `classifiers`, before any is dropped.
    """
    dropped = dropped or {}
    marks = [dropped.get(row, Mark(None, "all images are used")) for row in range(len(table))]
    if per_real is None and per_class is None:
        return marks
    sizes = {name: int((labels == label).sum()) for label, name in class_names.items()}
    wanted = count_extra(sizes, per_real=per_real, per_class=per_class, section=section)
    classes, order = np.asarray(table["label"]), np.arange(len(table))
    if select == "clip":
        order = np.argsort(-np.asarray(table[CLIP_PROBABILITY]), kind="stable")
    how = "CLIP ranks it" if select == "clip" else "it is number"
    for label, name in class_names.items():
        rows, n = order[classes[order] == label].tolist(), wanted[name]
        if len(rows) < n and section == "classifiers":
            key, value = ("per_real", per_real) if per_class is None else ("per_class", per_class)
            raise ValueError(
                f"classifiers.{key} = {value}: class {name!r} has {len(rows)} extra images "
                f"of the {n} wanted; must be <= banks.{key}"
            )
        rows = [row for row in rows if row not in dropped]
        for rank, row in enumerate(rows, 1):
            reason = f"{how} {rank:,} of {len(rows):,} in its class, of which the first {n:,} are "
            marks[row] = Mark(None if rank <= n else RANK, f"{reason}used")
    return marks
