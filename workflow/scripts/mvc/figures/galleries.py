"""Sheets of finished images, class by class: real ones and each generator's (Figures 1 and 5)."""

from collections.abc import Sequence

import pyarrow as pa
from PIL import Image

from mvc.figures import grid
from mvc.core.classes import class_names
from mvc.core.decoding import decode
from mvc.core.image_tables import image_bytes


def gallery(sets: Sequence[tuple[str, pa.Table, int]], *, classes: int, cell: int) -> Image.Image:
    """One column a class, one group of rows a set: the first images of each, so nobody chose them.

    Args:
        sets: title, image table and number of rows of each group.
        classes: columns, the first classes of the first set.
        cell: side in pixels of an image on the sheet, about.
    """
    names = dict(list(class_names(sets[0][1]).items())[:classes])
    rows, titles = [], []
    for title, table, lines in sets:
        chosen = grid.first_of_each(table["label"].to_pylist(), list(names), lines)
        data = image_bytes(table)
        rows += grid.group([[decode(data[row]) for row in own] for own in chosen], lines)
        titles += [title] + [""] * (lines - 1)
    side = max(image.width for row in rows for image in row if image is not None)
    return grid.grid(rows, titles, list(names.values()), grid.scale_to(side, cell))
