"""Image grids: rows and columns of images with titles, enlarged without blur; no torch, no plots.

Equal images give equal bytes: the PNG library alone depends on the machine.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import matplotlib
import pyarrow as pa
from PIL import Image, ImageDraw, ImageFont

from mvc.core.image_tables import get_bytes, get_fit, read_class_names
from mvc.core.square import decode_square

GAP, GROUP_GAP, MARGIN = 2, 10, 14  # pixels between images, between groups of rows, around all
BLOCK = 12  # columns of classes side by side; further ones stand below them
INK, PAPER, EMPTY = (32, 33, 36), (255, 255, 255), (238, 238, 240)


def draw_grid(
    rows: Sequence[Sequence[Image.Image | None]],
    row_titles: Sequence[str],
    column_titles: Sequence[str],
    scale: int | float,
    *,
    spans: Sequence[int] | None = None,
) -> Image.Image:
    """Draw images in rows and columns.

    Args:
        rows: rows of images, all of one length; None leaves a cell empty.
        row_titles: one per row; an empty title puts the row into the group of the row above.
        column_titles: none, or a number that divides the columns evenly: each stands above its
            columns, and a wider gap separates them from the next.
        scale: side of an image's pixel in the grid; the largest image sets the size of all cells.
        spans: number of columns below each column title, if it is not the same for all.

    Returns:
        An RGB image.

    Raises:
        ValueError: there is no image, rows differ in length, or titles do not fit them.
    """
    spans = _count_spans(rows, row_titles, column_titles, spans)
    images = [image for row in rows for image in row if image is not None]
    cell = max(1, round(scale * max(max(image.size) for image in images)))
    firsts = [sum(spans[:i]) for i in range(len(spans))]
    font = _load_font(max(13, min(26, round(cell * 0.19 * min(*spans, 2)))))
    left = MARGIN + _measure_width(row_titles, font)
    xs = _compute_offsets([i in firsts for i in range(len(rows[0]))], cell, left)
    headings = [
        _wrap(title, font, span * (cell + GAP) + GROUP_GAP // 2)
        for title, span in zip(column_titles, spans, strict=False)
    ]
    top = MARGIN + max((_measure_height(heading, font) for heading in headings), default=-6) + 6
    ys = _compute_offsets([i > 0 and title != "" for i, title in enumerate(row_titles)], cell, top)
    canvas = Image.new("RGB", (xs[-1] + cell + MARGIN, ys[-1] + cell + MARGIN), PAPER)
    draw = ImageDraw.Draw(canvas)
    for row, y in zip(rows, ys, strict=True):
        for image, x in zip(row, xs, strict=True):
            canvas.paste(
                EMPTY if image is None else _fit_cell(image, cell), (x, y, x + cell, y + cell)
            )
    for heading, middle in zip(headings, _compute_middles(firsts, xs, cell), strict=False):
        draw.multiline_text((middle, top - 6), heading, INK, font, "md", align="center")
    starts = [i for i, title in enumerate(row_titles) if title or i == 0]
    for start, middle in zip(starts, _compute_middles(starts, ys, cell), strict=True):
        draw.multiline_text((left - 10, middle), row_titles[start], INK, font, "rm", align="right")
    return canvas


def draw_blocks(
    rows: Sequence[Sequence[Image.Image | None]],
    row_titles: Sequence[str],
    column_titles: Sequence[str],
    scale: int | float,
) -> Image.Image:
    """Draw a column per class in blocks of at most `BLOCK`, one below the other.

    Three hundred classes in one row would be wider than a browser opens. See `draw_grid`.
    """
    blocks = [
        draw_grid(
            [row[i : i + BLOCK] for row in rows], row_titles, column_titles[i : i + BLOCK], scale
        )
        for i in range(0, len(column_titles), BLOCK)
    ]
    size = max(block.width for block in blocks), sum(block.height for block in blocks)
    sheet = Image.new("RGB", size, PAPER)
    for i, block in enumerate(blocks):
        sheet.paste(block, (0, sum(above.height for above in blocks[:i])))
    return sheet


def name_mixed(train: pa.Table, bank: pa.Table) -> dict[int, str]:
    """Name the classes that have entries in the bank, by label: `banks.per_class` may give none."""
    mixed = {*bank["label"].to_pylist()}
    return {label: name for label, name in read_class_names(train).items() if label in mixed}


def choose_spread(classes: Sequence[int], most: int) -> list[int]:
    """Choose at most so many classes, evenly spread over all of them."""
    shown = min(most, len(classes))
    return [classes[i * len(classes) // shown] for i in range(shown)]


def choose_first(labels: Sequence[int], classes: Sequence[int], count: int) -> list[list[int]]:
    """Choose the rows of the first `count` images of each class, in order, so without selection."""
    chosen: dict[int, list[int]] = {label: [] for label in classes}
    for row, label in enumerate(labels):
        if label in chosen and len(chosen[label]) < count:
            chosen[label].append(row)
    return [chosen[label] for label in classes]


def arrange(images: Sequence[Sequence[Image.Image]], lines: int) -> list[list[Image.Image | None]]:
    """Arrange images in `lines` rows: image i of class c stands in row i, column c."""
    return [[column[i] if i < len(column) else None for column in images] for i in range(lines)]


def choose_scale(side: int, cell: int) -> int | float:
    """Choose the scale that brings images near a cell's side; a whole number for smaller ones."""
    return cell / side if side > cell else max(1, round(cell / side))


def _count_spans(rows: Sequence, row_titles: Sequence[str], column_titles, spans) -> list[int]:
    """Count the columns of each column title, and check that titles and rows fit each other."""
    lengths = {len(row) for row in rows}
    if len(lengths) != 1 or not any(image is not None for row in rows for image in row):
        raise ValueError(f"rows of {sorted(lengths)} images; must be of one length, not all empty")
    if len(row_titles) != len(rows):
        raise ValueError(f"{len(row_titles)} row titles for {len(rows)} rows")
    length, titles = lengths.pop(), max(len(column_titles), 1)
    spans = [length // titles] * titles if spans is None else list(spans)
    if len(spans) != titles or sum(spans) != length:
        raise ValueError(f"{len(column_titles)} column titles for rows of {length} images")
    return spans


def _compute_offsets(wide: Sequence[bool], cell: int, start: int) -> list[int]:
    offsets = []
    for is_wide in wide:
        gap = (GROUP_GAP if is_wide else GAP) if offsets else 0
        start = offsets[-1] + cell + gap if offsets else start
        offsets.append(start)
    return offsets


def _compute_middles(starts: Sequence[int], offsets: Sequence[int], cell: int) -> list[float]:
    """Compute the middle of each group of cells from the first cell of each group."""
    ends = [*starts[1:], len(offsets)]
    return [(offsets[a] + offsets[b - 1] + cell) / 2 for a, b in zip(starts, ends, strict=True)]


def _fit_cell(image: Image.Image, cell: int) -> Image.Image:
    """Fit an image into a square cell, centred; it is enlarged pixel by pixel."""
    factor = cell / max(image.size)
    size = tuple(max(1, round(side * factor)) for side in image.size)
    method = Image.Resampling.NEAREST if factor >= 1 else Image.Resampling.LANCZOS
    result = Image.new("RGB", (cell, cell), EMPTY)
    place = tuple((cell - side) // 2 for side in size)
    result.paste(image.convert("RGB").resize(size, method), place)
    return result


@lru_cache
def _load_font(size: int) -> ImageFont.FreeTypeFont:
    """Load DejaVu Sans, which matplotlib ships: unlike a system font, equal on every machine."""
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    layout = ImageFont.Layout.BASIC  # the other one needs a library that may be missing
    return ImageFont.truetype(str(path), size, layout_engine=layout)


def _measure_width(titles: Sequence[str], font: ImageFont.FreeTypeFont) -> int:
    lines = [line for title in titles for line in title.split("\n") if line]
    return round(max(map(font.getlength, lines), default=-10)) + 10


def _wrap(title: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """Break a title at spaces, slashes and hyphens; cut a line that is still too wide with …."""
    words = title.replace("/", "/\0").replace("-", "-\0").replace(" ", " \0").split("\0")
    lines = [""]
    for word in words:
        if lines[-1] and font.getlength((lines[-1] + word).rstrip()) > width:
            lines.append("")
        lines[-1] += word
    return "\n".join(_cut(line.rstrip(), font, width) for line in lines)


def _cut(line: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    if font.getlength(line) <= width:
        return line
    while line and font.getlength(line + "…") > width:
        line = line[:-1]
    return line + "…"


def _measure_height(text: str, font: ImageFont.FreeTypeFont) -> int:
    draw = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    return round(draw.multiline_textbbox((0, 0), text, font)[3])


def draw_gallery(
    sets: Sequence[tuple[str, pa.Table, int]], *, classes: int, cell: int
) -> Image.Image:
    """Draw a column per class and a group of rows per set: the first images, without selection.

    Args:
        sets: title, image table and number of rows of each group.
        classes: columns, the first classes of the first set.
        cell: approximate side of an image on the grid, in pixels.
    """
    names = dict(list(read_class_names(sets[0][1]).items())[:classes])
    rows, titles = [], []
    for title, table, lines in sets:
        chosen = choose_first(table["label"].to_pylist(), list(names), lines)
        contents, fit = get_bytes(table), get_fit(table)
        images = [[decode_square(contents[row], fit) for row in members] for members in chosen]
        rows += arrange(images, lines)
        titles += [title] + [""] * (lines - 1)
    side = max(image.width for row in rows for image in row if image is not None)
    return draw_blocks(rows, titles, list(names.values()), choose_scale(side, cell))
