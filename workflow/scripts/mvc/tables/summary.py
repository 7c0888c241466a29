"""A table of the paper in short, for a terminal: accuracies, gains and verdicts of this run."""

from collections.abc import Iterator, Mapping

import pandas as pd

from mvc.config.table_columns import Layout
from mvc.core.markdown import format_interval, format_number
from mvc.tables.statistics import TOTAL, read_gain

HEADINGS = ("", "without", "with", "gain", "95 % interval", "verdict")


def summarise_table(table: pd.DataFrame, layout: Layout, *, digits: int) -> str:
    """Summarise each row of a table in a block: one line per gain, without what was not run.

    Args:
        table: as returned by `statistics.make_table`, with intervals of 95 %.
        layout: the table's columns and gains.
        digits: decimals of accuracy.
    """
    blocks = []
    for row in table.to_dict("records"):
        gains = list(_format_gains(row, layout, digits))
        if gains:
            title = f"{row['dataset']}, {row['model']}, {row['n_train']:.0f} labelled images"
            blocks.append([title, *_align([HEADINGS, *gains]), *list_doubts(row, layout, digits)])
    return "\n\n".join("\n".join(block) for block in blocks)


def _format_gains(row: Mapping, layout: Layout, digits: int) -> Iterator[tuple[str, ...]]:
    for (arm, over), title, prefix in list_gains(row, layout):
        gain = read_gain(row, prefix)
        yield (
            title,
            *(_format_mean(row, name, digits) for name in (over, arm)),
            format_number(gain.gain, digits, sign=True),
            format_interval(gain, digits),
            gain.verdict,
        )


def list_gains(row: Mapping, layout: Layout) -> Iterator[tuple[tuple[str, str], str, str]]:
    """Pair of arms, title and prefix of the columns of each gain that was run."""
    named = set()
    for arm, over in layout.gains:
        prefix = f"{arm}_over_{over}" if arm in named else arm
        named.add(arm)
        if not pd.isna(row[f"{prefix}_gain"]):
            ours, theirs = (_shorten(layout.columns[name]) for name in (arm, over))
            yield (arm, over), f"{ours} over {theirs}", prefix


def list_doubts(row: Mapping, layout: Layout, digits: int) -> Iterator[str]:
    """List the verdicts over seeds that other test images may reverse, one per line."""
    for _, title, prefix in list_gains(row, layout):
        gain, wide = read_gain(row, prefix), read_gain(row, prefix, TOTAL)
        if gain.verdict != wide.verdict == "undecided":
            interval = format_interval(wide, digits)
            yield f"Undecided if test images vary, too: {title} {interval}"


def _format_mean(row: Mapping, arm: str, digits: int) -> str:
    mean, sd = format_number(row[f"{arm}_mean"], digits), row[f"{arm}_sd"]
    return mean if pd.isna(sd) else f"{mean} ± {format_number(sd, digits)}"


def _shorten(heading: str) -> str:
    return heading.removeprefix("Ours(").removesuffix(")")


def _align(rows: list[tuple[str, ...]]) -> list[str]:
    """Align columns to equal width, the first and the last flush left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    last = len(widths) - 1
    return [
        "  ".join(
            cell.ljust(width) if i in (0, last) else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
