"""The figures that the paper reports in Tables 1 to 5, and ours beside them (Section 4)."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd

from mvc.config.table_columns import TABLES
from mvc.core import markdown
from mvc.core.markdown import format_interval, format_number
from mvc.tables.runs import KEYS

# Test accuracy in % by data set and model, in the order of the table's columns; `*`: reproduced by
# the paper's authors (the other baselines are from other papers), `–`: missing.
FIGURES = {
    "table1": (
        ("cifar-10", "wrn-28-2", "94.9 95.9* 95.9 95.8 95.6 96.2 96.3 96.6"),
        ("cifar-10", "wrn-28-10", "96.1 97.3 97.4 97.3 96.5 97.6 97.6 97.7"),
        ("cifar-10-reduced", "wrn-28-2", "79.5* 83.8* 83.7* 83.9* 82.9 86.2 86.6 86.4"),
        ("cifar-10-reduced", "wrn-28-10", "81.2 85.9* 86.1 85.6* 85.1 87.4 87.3 87.5"),
        ("cifar-100", "wrn-28-2", "75.4 78.7* 78.5 78.3 76.9 80.7 80.4 81.5"),
        ("cifar-100", "wrn-28-10", "81.2 82.7 82.4 82.9 83.3 84.5 84.4 84.9"),
        ("cifar-100-reduced", "wrn-28-2", "39.7* 45.4* 44.7* 44.8* 46.1 47.7 47.5 47.8"),
        ("cifar-100-reduced", "wrn-28-10", "41.5* 46.3* 45.9* 45.7* 47.8 48.7 48.1 48.5"),
        ("tiny-imagenet", "resnet50", "27.3* 30.5* 30.4* – 33.2 35.4 35.5 –"),
        ("tiny-imagenet", "efficientnet_b3", "46.3* – – 47.9* 48.6 – – 49.4"),
    ),
    "table2": (
        ("caltech-101", "resnet50", "95.0 96.1 96.4 97.2 97.5"),
        ("caltech-101", "efficientnet_b0", "95.2 95.1 95.5 95.8 96.3"),
        ("caltech-101", "vit_base_patch16_224", "96.2 96.7 96.9 97.5 97.9"),
    ),
    "table3": (
        ("brain-tumor", "resnet50", "93.2 94.4 95.6 96.1 96.8"),
        ("brain-tumor", "efficientnet_b0", "91.9 93.3 94.5 95.2 95.2"),
        ("brain-tumor", "wide_resnet50_2", "92.3 94.7 95.6 95.8 96.7"),
    ),
    "table4": (
        ("caltech-101", "resnet50", "96.1 96.8 97.2"),
        ("caltech-101", "efficientnet_b0", "95.1 95.6 95.8"),
        ("caltech-101", "vit_base_patch16_224", "96.7 97.3 97.5"),
        ("cifar-100-reduced", "wrn-28-2", "44.7 46.1 47.3"),
        ("brain-tumor", "resnet50", "94.4 – 96.1"),
    ),
    "table5": (
        ("caltech-101", "resnet50", "96.1 95.4 96.3 97.2"),
        ("caltech-101", "efficientnet_b0", "95.1 94.9 95.3 95.8"),
        ("caltech-101", "vit_base_patch16_224", "96.7 97.2 97.2 97.5"),
    ),
}
NOTES = {
    "table1": "The paper's text gives as mean gains +3.29 (Syn over Baseline), +1.70 (FAA+Syn over "
    "FAA), +1.77 (AA+Syn over AA) and +2.11 (RA+Syn over RA); its table yields the first alone. "
    "For cifar-10-reduced after 500 epochs, the authors of RandAugment report more than it does "
    "(wrn-28-2, wrn-28-10): baseline 82.0, 83.5; AA 85.6, 87.7; RA 85.3, 86.8."
}
AGREES = {
    "yes": "the paper's gain lies in our interval",
    "in sign": "it does not, or there is no interval, but both gains have one sign",
    "no": "neither",
}
DASH = "\N{EN DASH}"


class Row(NamedTuple):
    """A published row: what the paper prints and its numbers, by column; NaN if missing."""

    dataset: str
    model: str
    printed: dict[str, str]
    values: dict[str, float]


def list_rows(table: str) -> Iterator[Row]:
    """List the published rows of `table1` to `table5`, in the paper's order."""
    columns = TABLES[table].columns
    for dataset, model, line in FIGURES[table]:
        printed = dict(zip(columns, line.split(), strict=True))
        values = {c: math.nan if v == DASH else float(v.rstrip("*")) for c, v in printed.items()}
        yield Row(dataset, model, printed, values)


def format_section(table: str, ours: pd.DataFrame, gain: pd.DataFrame, *, digits: int) -> str:
    """Format the paper's table as Markdown; below each row that was run, ours and the difference.

    Args:
        ours: cells of the table, as returned by `statistics.summarise_cells`.
        gain: the table's gains, as returned by `statistics.compare_arms`.
        digits: decimals of accuracy.
    """
    means = {
        key: dict(zip(cells["arm"], cells["mean"], strict=True))
        for key, cells in ours.groupby(KEYS)
    }
    lines, met = [], 0
    for row in list_rows(table):
        mean = means.get((row.dataset, row.model))
        source = "paper, not run" if mean is None else "paper"
        lines.append([row.dataset, row.model, source, *row.printed.values()])
        lines += [] if mean is None else _format_ours(row, mean, digits)
        met += mean is not None
    names = [_shorten(name) for name in TABLES[table].columns.values()]
    parts = [
        "## The paper's figures",
        f"Table {table[-1]} of *Dataset Augmentation by Mixing Visual Concepts*: test accuracy in "
        "%, the mean of 3 runs; `*` reproduced by its authors, a dash where it gives none; "
        "`not run` refers to ours.",
        markdown.format_table(["data set", "model", "", *names], lines, left=3),
        NOTES.get(table, ""),
        _format_gains(table, gain, digits) if met else "None of the paper's rows was run here.",
    ]
    return "\n\n".join(part for part in parts if part)


def judge_agreement(paper: float, ours: float, low: float, high: float) -> str:
    """Judge whether a gain agrees with the paper's: a key of `AGREES`; NaN bounds: no interval."""
    if low <= paper <= high:
        return "yes"
    return "in sign" if paper * ours > 0 else "no"


def _format_ours(row: Row, mean: dict[str, float], digits: int) -> list[list[str]]:
    cells = [format_number(mean[c], digits) if c in mean else "not run" for c in row.values]
    differences = [mean.get(c, math.nan) - value for c, value in row.values.items()]
    points = [format_number(value, digits, sign=True) for value in differences]
    return [["", "", "ours", *cells], ["", "", "ours − paper", *points]]


def _format_gains(table: str, gain: pd.DataFrame, digits: int) -> str:
    """Format the paper's gains whose two arms were run: its figure, ours, whether they agree."""
    names, lines = TABLES[table].columns, []
    paper = {(row.dataset, row.model): row.values for row in list_rows(table)}
    for row in gain.itertuples():
        values = paper.get((row.dataset, row.model), {})
        theirs = values.get(row.arm, math.nan) - values.get(row.over, math.nan)
        if math.isnan(theirs) or math.isnan(row.gain):
            continue
        verdict = judge_agreement(theirs, row.gain, row.low, row.high)
        points = [
            format_number(v, digits, sign=True) for v in (theirs, row.gain, row.gain - theirs)
        ]
        arms = [_shorten(names[row.arm]), _shorten(names[row.over])]
        lines.append(
            [row.dataset, row.model, *arms, *points, format_interval(row, digits), verdict]
        )
    if not lines:
        return ""
    heads = ["data set", "model", "arm", "over", "paper", "ours", "difference", "interval"]
    legend = "; ".join(f"`{word}`: {meaning}" for word, meaning in AGREES.items())
    return (
        f"{markdown.format_table([*heads, 'agrees'], lines, left=4)}\n\nGains in points. {legend}."
    )


def _shorten(name: str) -> str:
    return name[5:-1] if name.startswith("Ours(") else name
