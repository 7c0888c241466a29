"""The verdict of a data set's table: each gain in words, with its interval and its limits."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from mvc.config.table_columns import TABLES, Layout
from mvc.core.markdown import format_bounds, format_interval, format_number
from mvc.tables.statistics import TOTAL, Gain, read_gain
from mvc.tables.summary import list_gains

# What the page says of a gain's verdict: a word, and the class of its colour.
WORDS = {
    "holds": ("helps", "good"),
    "does not hold": ("hurts", "bad"),
    "undecided": ("undecided", "open"),
}


# An augmentation in words, for a gain of synthetic images over it.
AUGMENTATIONS = {
    "baseline": "With crop and flip alone",
    "faa": "With Fast AutoAugment (FAA)",
    "aa": "With AutoAugment (AA)",
    "ra": "With RandAugment (RA)",
}


class Finding(NamedTuple):
    """A gain of the table in words and numbers; NaN where seeds are too few to bound it."""

    title: str
    model: str
    without: str
    with_: str
    gain: Gain
    total: Gain
    digits: int

    @property
    def word(self) -> str:
        return WORDS[self.gain.verdict][0]

    @property
    def colour(self) -> str:
        return WORDS[self.gain.verdict][1]

    @property
    def points(self) -> str:
        """The gain and its interval in points: `+2.3 [+0.4, +4.2]`."""
        gain = format_number(self.gain.gain, self.digits, sign=True)
        return f"{gain} {_join(format_interval(self.gain, self.digits))}"

    @property
    def sentence(self) -> str:
        """For instance `72.9 % without, 75.2 % with: +2.3 points, interval [+0.4, +4.2]`."""
        accuracies = f"{self.without} % without, {self.with_} % with"
        gain = f"{format_number(self.gain.gain, self.digits, sign=True)} points"
        if math.isnan(self.gain.low):
            pairs = "one seed" if self.gain.pairs == 1 else "seeds that all agree"
            return f"{accuracies}: {gain}; no interval over seeds, there being {pairs}"
        return f"{accuracies}: {gain}, interval {_join(format_interval(self.gain, self.digits))}"

    @property
    def doubt(self) -> str:
        """That the verdict is one over seeds alone; "" where test images do not change it."""
        if self.gain.verdict != self.total.verdict == "undecided":
            bounds = format_bounds(self.total.low, self.total.high, self.digits, sign=True)
            return f"undecided if the test images vary, too: {bounds}"
        return ""


def list_findings(table: pd.DataFrame, layout: Layout, *, digits: int) -> list[Finding]:
    """List the gains of a table in the order of its rows.

    Args:
        table: as returned by `statistics.make_table`.
        layout: the table's columns and gains.
        digits: decimals of accuracy.
    """
    return [
        Finding(
            _name_comparison(arm, over, title),
            row["model"],
            *(format_number(row[f"{name}_mean"], digits) for name in (over, arm)),
            read_gain(row, prefix),
            read_gain(row, prefix, TOTAL),
            digits,
        )
        for row in table.to_dict("records")
        for (arm, over), title, prefix in list_gains(row, layout)
    ]


def _name_comparison(arm: str, over: str, title: str) -> str:
    if arm in ("syn", f"{over}+syn") and over in AUGMENTATIONS:
        return AUGMENTATIONS[over]
    return title.replace(" over ", " against ")


def _join(text: str) -> str:
    """A text that stays on one line."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def format_headline(findings: Sequence[Finding]) -> str:
    """The verdict in one sentence, for instance `… help in 3 of 4 comparisons; 1 is undecided`."""
    if not findings:
        return "No two arms to compare were run"
    counts = {word: sum(each.word == word for each in findings) for word, _ in WORDS.values()}
    n = len(findings)
    every = {1: "the one comparison", 2: "both comparisons"}.get(n, f"all {n} comparisons")
    subject = "The treatment" if _differ(findings) else "Synthetic images"
    verbs = ("helps", "hurts") if subject == "The treatment" else ("help", "hurt")
    parts = []
    for word, verb in zip(("helps", "hurts"), verbs, strict=True):
        if counts[word]:
            share = every if counts[word] == n else f"{counts[word]} of {n} comparisons"
            parts.append(f"{verb} in {share}")
    if not parts:
        verb = "is" if n == 1 else "are"
        return f"Undecided: {every} {verb} within what other seeds may reverse"
    if counts["undecided"]:
        verb = "is" if counts["undecided"] == 1 else "are"
        parts.append(f"{counts['undecided']} {verb} undecided")
    return f"{subject} {'; '.join(parts)}"


def _differ(findings: Sequence[Finding]) -> bool:
    """Whether a comparison is of two sets of synthetic images, or of two strategies."""
    return any("PT" in each.title or "two-phase" in each.title for each in findings)


def list_headlines(files: Iterable[str]) -> list[str]:
    """List the verdicts of the tables among some files, one line each.

    A storage provider may have taken a file away.
    """
    tables = {file.stem: file for file in map(Path, files) if file.suffix == ".csv"}
    return [
        f"{name.replace('table', 'Table ')}: "
        f"{format_headline(list_findings(pd.read_csv(tables[name]), layout, digits=1))}."
        for name, layout in TABLES.items()
        if name in tables and tables[name].is_file()
    ]


def list_limits(runs: pd.DataFrame, findings: Sequence[Finding], *, confidence: float) -> list[str]:
    """List what the verdict does not cover, one sentence each."""
    n_test, split = int(runs["n_test"].iloc[0]), runs["split"].iloc[0]
    seeds = runs["seed"].nunique()
    lines = [
        f"The {100 * confidence:g} % intervals are over {seeds} classifier seeds alone"
        if seeds > 1
        else "One classifier seed was run: nothing says how far another would be off",
        "One draw of labelled images and one set of synthetic images: others may gain more or less",
        f"Measured on {n_test:,} images of this data set, with the classifiers of the table",
    ]
    if len(findings) > 1:
        lines.append(
            f"{len(findings)} comparisons, none corrected for their number: one in twenty would "
            "stand out by chance"
        )
    if split != "test":
        lines.append(f"Measured on the {split} split, on which settings are chosen: no test result")
    return lines
