"""Which images the gallery shows, and which of a generator's images the classifiers used."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import torch

from mvc.classifiers.extra_images import CLIP_PROBABILITY, select_per_class
from mvc.core.image_set import Labelled

MOST = 1600  # images of the gallery, if no class is to be left without one
MOST_PER_CLASS = 24  # of a kind: real, or of one generator
COMPARED = 3000  # training images at most among which the nearest one is searched


def count_shown(classes: int, kinds: int) -> int:
    """Images of each class and kind that the gallery shows at most."""
    return max(1, min(MOST_PER_CLASS, MOST // max(classes * kinds, 1)))


def pick_even(rows: Sequence[int], most: int) -> list[int]:
    """At most so many rows, the first and the last among them, the others evenly between."""
    if len(rows) <= most:
        return list(rows)
    places = np.linspace(0, len(rows) - 1, most).round().astype(int) if most > 1 else [0]
    return [rows[place] for place in places]


def pick_shown(table: pa.Table, most: int) -> list[int]:
    """Rows of at most so many images per class: from CLIP's surest to its least sure, if scored."""
    labels = np.asarray(table["label"])
    order = np.arange(len(table))
    if CLIP_PROBABILITY in table.column_names:
        order = np.argsort(-np.asarray(table[CLIP_PROBABILITY]), kind="stable")
    return [
        row
        for label in np.unique(labels)
        for row in pick_even(order[labels[order] == label].tolist(), most)
    ]


def mark_used(table: pa.Table, train: pa.Table, selection: Mapping) -> list[tuple[bool, str]]:
    """Whether classifiers use each of a generator's images, and why or why not.

    Args:
        table: `label`, `class_name`, `clip_probability` of the generator's images.
        train: `label`, `class_name` of the training images.
        selection: `per_real`, `per_class`, `select`, see `extra_images.read_extra`.
    """
    if selection["per_real"] is None and selection["per_class"] is None:
        return [(True, "all images are used")] * len(table)
    places = table.append_column("place", pa.array(range(len(table))))
    used = select_per_class(places, _label(train), **selection)["place"].to_pylist()
    used, labels = set(used), np.asarray(table["label"])
    by_clip = selection["select"] == "clip"
    score = -np.asarray(table[CLIP_PROBABILITY]) if by_clip else np.arange(len(table))
    marks: list[tuple[bool, str]] = [(False, "")] * len(table)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        rows = rows[np.argsort(score[rows], kind="stable")]
        n = sum(int(row) in used for row in rows)
        for rank, row in enumerate(rows, 1):
            kept, of = int(row) in used, f"{len(rows):,}"
            how = f"CLIP ranks it {rank:,} of {of}" if by_clip else f"it is number {rank:,} of {of}"
            marks[row] = (kept, f"{how} in its class, of which the first {n:,} are used")
    return marks


def _label(train: pa.Table) -> Labelled:
    """Training images by their labels alone, which is all that the selection reads of them."""
    pairs = zip(train["label"].to_pylist(), train["class_name"].to_pylist(), strict=True)
    labels = torch.tensor(train["label"].to_pylist(), dtype=torch.int64)
    empty = torch.zeros(len(labels), 3, 1, 1, dtype=torch.uint8)
    return Labelled(empty, labels, dict(sorted(set(pairs))))


def pick_compared(labels: Sequence[int], needed: Sequence[int]) -> list[int]:
    """Training images among which nearest ones are searched: `needed` rows and an even share."""
    labels = np.asarray(labels)
    classes = np.unique(labels)
    most = max(1, COMPARED // max(len(classes), 1))
    picked = {r for y in classes for r in pick_even(np.flatnonzero(labels == y).tolist(), most)}
    return sorted({*map(int, picked), *needed})
