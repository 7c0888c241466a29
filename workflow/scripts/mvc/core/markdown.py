"""Markdown tables that are readable in a terminal too: columns are padded to one width."""

import math
import re
import textwrap
import unicodedata
from collections.abc import Sequence
from typing import SupportsInt

MINUS = "\N{MINUS SIGN}"


def format_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """A pipe table; the first `left` columns are flush left, the others flush right.

    Raises:
        ValueError: a row has more or fewer cells than there are headings.
    """
    for row in rows:
        if len(row) != len(headings):
            raise ValueError(f"a row of {len(row)} cells under {len(headings)} headings: {row}")
    lines = [[escape(cell) for cell in row] for row in (headings, *rows)]
    widths = [max(3, *(count_columns(line[i]) for line in lines)) for i in range(len(headings))]
    rule = ["-" * w if i < left else "-" * (w - 1) + ":" for i, w in enumerate(widths)]
    padded = [
        [
            _pad(cell, width, i < left)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        for line in lines
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in (padded[0], rule, *padded[1:]))


def fit(text: str, width: int) -> str:
    """Fit a page to a terminal of `width` columns: wrap prose, transpose or cut wide tables."""
    blocks = []
    for block in text.strip().split("\n\n"):
        lines = block.split("\n")
        if not block.startswith("|"):
            wrapped = (
                textwrap.fill(s, width, subsequent_indent="  " * s.startswith("- ")) for s in lines
            )
            blocks.append("\n".join(wrapped))
        elif _measure_width(block) <= width:
            blocks.append(block)
        elif _measure_width(turned := _transpose(lines)) <= width:
            blocks.append(turned)
        else:
            blocks += _cut_columns(lines, width)
    return "\n\n".join(blocks) + "\n"


def format_number(value: float, digits: int, *, sign: bool = False) -> str:
    """A number with a true minus sign, and `+` if `sign`; a dash for NaN. Never `-0.0`."""
    if math.isnan(value):
        return "\N{EN DASH}"
    text = f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return text.replace("-", MINUS)


def format_interval(gain, digits: int) -> str:
    """A gain's interval as `[−0.4, +1.2]`, a dash where there is none."""
    return format_bounds(gain.low, gain.high, digits, sign=True)


def format_bounds(low: float, high: float, digits: int, *, sign: bool = False) -> str:
    """Two bounds as `[0.4, 1.2]`, a dash for NaN."""
    if math.isnan(low):
        return "\N{EN DASH}"
    return f"[{', '.join(format_number(end, digits, sign=sign) for end in (low, high))}]"


def format_count(value: SupportsInt) -> str:
    """A whole number with thousands separators."""
    return f"{int(value):,}"


def format_p_value(p: float) -> str:
    """Two significant digits, `< 0.001` below that; a dash for NaN."""
    if math.isnan(p):
        return "\N{EN DASH}"
    return "< 0.001" if p < 0.001 else f"{p:.2g}"


def escape(text: str) -> str:
    """Escape text for a pipe table: class names may hold any character."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")


def count_columns(text: str) -> int:
    """Count the terminal columns of a text: wide East Asian letters take two, accents none."""
    marks = sum(unicodedata.combining(c) != 0 for c in text)
    return len(text) - marks + sum(unicodedata.east_asian_width(c) in "WF" for c in text)


def _measure_width(block: str) -> int:
    return count_columns(block.split("\n")[0])


def _split_cells(lines: Sequence[str]) -> list[list[str]]:
    """Headings, then rows, of a pipe table without its rule."""
    split = ([c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines)
    return [[_unescape(c) for c in row] for i, row in enumerate(split) if i != 1]


def _transpose(lines: Sequence[str]) -> str:
    headings, *rows = map(list, zip(*_split_cells(lines), strict=True))
    return format_table(headings, rows)


def _cut_columns(lines: Sequence[str], width: int) -> list[str]:
    """Cut a table into several, each with the columns flush left and as many others as fit."""
    headings, *rows = _split_cells(lines)
    keys = sum(not rule.strip().endswith(":") for rule in lines[1].split("|")[1:-1])

    def part(first: int, last: int) -> str:
        picked = [[*row[:keys], *row[first:last]] for row in (headings, *rows)]
        return format_table(picked[0], picked[1:], left=keys)

    def fits(first: int, last: int) -> bool:
        return last - first == 1 or _measure_width(part(first, last)) <= width

    ends = [keys]
    while ends[-1] < len(headings):
        more = range(ends[-1] + 1, len(headings) + 1)
        ends.append(max(last for last in more if fits(ends[-1], last)))
    pairs = list(zip(ends, ends[1:], strict=False))
    even = [keys + i * (len(headings) - keys) // max(len(pairs), 1) for i in range(len(ends))]
    if all(fits(*pair) for pair in zip(even, even[1:], strict=False)):
        pairs = list(zip(even, even[1:], strict=False))
    return [part(*pair) for pair in pairs] or ["\n".join(lines)]


def _unescape(text: str) -> str:
    return re.sub(r"\\([\\|])", r"\1", text)


def _pad(text: str, width: int, left: bool) -> str:
    space = " " * (width - count_columns(text))
    return text + space if left else space + text
