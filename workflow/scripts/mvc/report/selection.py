"""Which images the gallery shows."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from mvc.synthetic.choice import CLIP_PROBABILITY

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


def pick_compared(labels: Sequence[int], needed: Sequence[int]) -> list[int]:
    """Training images among which nearest ones are searched: `needed` rows and an even share."""
    labels = np.asarray(labels)
    classes = np.unique(labels)
    most = max(1, COMPARED // max(len(classes), 1))
    picked = {r for y in classes for r in pick_even(np.flatnonzero(labels == y).tolist(), most)}
    return sorted({*map(int, picked), *needed})
