"""Accuracy of every arm over its seeds, and the gain over the right baseline (section 7, Table 1).

A run is one classifier: one data set, model, arm and seed. A cell is the runs that differ in their
seed only. Gains are paired by seed, so that what a seed does to both arms cancels.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from scipy import stats

HEADINGS = {
    "baseline": "Baseline",
    "faa": "FAA",
    "aa": "AA",
    "ra": "RA",
    "syn": "Ours(Syn)",
    "faa+syn": "Ours(FAA+Syn)",
    "aa+syn": "Ours(AA+Syn)",
    "ra+syn": "Ours(RA+Syn)",
    "ra+real": "RA + real",
    "ra+roundtrip": "RA + real through the VAE",
    "ra+pretrained": "RA + pre-trained",
}
TABLE1 = ("baseline", "faa", "aa", "ra", "syn", "faa+syn", "aa+syn", "ra+syn")
DIAGNOSTICS = ("ra", "ra+syn", "ra+pretrained", "ra+roundtrip", "ra+real")
GAINS = (("syn", "baseline"), ("faa+syn", "faa"), ("aa+syn", "aa"), ("ra+syn", "ra"))
DIAGNOSTIC_GAINS = (
    ("ra+syn", "ra"),
    ("ra+pretrained", "ra"),
    ("ra+roundtrip", "ra"),
    ("ra+real", "ra"),
    ("ra+syn", "ra+pretrained"),  # fine-tuned against pre-trained generator, as in Table 4
    ("ra+roundtrip", "ra+real"),  # what the VAE alone costs
    ("ra+syn", "ra+real"),  # what is left to the ceiling
)
CELL = ["dataset", "model", "arm"]
FIELDS = (*CELL, "seed", "split", "accuracy", "n_train", "n_extra", "n_test", "updates", "settings")
NO_SPREAD = 1e-9  # points; below this the differences are equal but for rounding


def heading(arm: str) -> str:
    """An arm as a table names it; a person's own arm keeps its name."""
    return HEADINGS.get(arm, arm)


class Gain(NamedTuple):
    """A paired comparison, in percentage points; NaN where the seeds are too few to say."""

    pairs: int
    gain: float
    low: float
    high: float
    p: float


def read(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Read the JSON record of each run, one row a run in the order given, and check them.

    Raises:
        ValueError: a file is not a run's record, or `check` refuses the whole.
    """
    records = []
    for path in paths:
        try:
            record = json.loads(Path(path).read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise ValueError(
                f"{path} is cut off or not JSON ({error}); delete it and run again"
            ) from error
        missing = [field for field in FIELDS if field not in record]
        if missing:
            raise ValueError(f"{path}: no {', '.join(missing)}; delete it and run again")
        records.append({**record, "file": str(path)})
    if not records:
        raise ValueError("no runs to put in a table")
    runs = pd.DataFrame(records).astype({"accuracy": float})
    check(runs)
    return runs


def check(runs: pd.DataFrame) -> None:
    """Refuse runs that one table must not mix: every number in it has to mean the same.

    Raises:
        ValueError: a run twice; several splits; seeds of one cell with different settings; arms
            of one data set evaluated on different numbers of images.
    """
    _one_value(runs, "split", [], "a table is of one split")
    _one_value(runs, "n_test", ["dataset"], "arms are compared on the same images")
    for field in ("settings", "n_train", "n_extra", "updates"):
        _one_value(runs, field, CELL, "seeds of one arm share everything but the seed")
    twice = runs[runs.duplicated([*CELL, "seed"], keep=False)]
    if len(twice):
        raise ValueError(f"the same run twice: {_files(twice)}")


def compare(ours: dict[int, float], theirs: dict[int, float], *, confidence: float = 0.95) -> Gain:
    """The mean gain over the seeds that both have, its interval, and a two-sided paired t-test.

    Args:
        ours, theirs: accuracy in percent by seed.
        confidence: level of the interval, in (0, 1).

    Returns:
        NaN gain without a common seed; NaN interval and p with one, or with equal differences.
    """
    seeds = sorted(ours.keys() & theirs.keys())
    difference = pd.Series([ours[s] - theirs[s] for s in seeds], dtype=float)
    spread = difference.std(ddof=1)
    if not spread > NO_SPREAD:
        return Gain(len(seeds), difference.mean(), math.nan, math.nan, math.nan)
    test = stats.ttest_rel([ours[s] for s in seeds], [theirs[s] for s in seeds])
    low, high = test.confidence_interval(confidence)
    return Gain(len(seeds), difference.mean(), float(low), float(high), float(test.pvalue))


def cells(runs: pd.DataFrame) -> pd.DataFrame:
    """One row a cell, in the order in which the runs came: mean, sd (ddof 1) and n over seeds."""
    grouped = runs.groupby(CELL, sort=False)
    result = grouped["accuracy"].agg(mean="mean", sd="std", n="count")
    shared = grouped[["split", "n_train", "n_extra", "n_test", "updates"]].first()
    return result.join(shared).reset_index()


def gains(
    runs: pd.DataFrame, pairs: Sequence[tuple[str, str]], *, confidence: float = 0.95
) -> pd.DataFrame:
    """One row a data set, model and pair (arm, over) of which both arms were run."""
    rows = []
    for (dataset, model), own in runs.groupby(["dataset", "model"], sort=False):
        by_seed = {
            arm: dict(zip(r["seed"], r["accuracy"], strict=True)) for arm, r in own.groupby("arm")
        }
        for arm, over in pairs:
            if arm in by_seed and over in by_seed:
                gain = compare(by_seed[arm], by_seed[over], confidence=confidence)
                rows.append(
                    {"dataset": dataset, "model": model, "arm": arm, "over": over, **gain._asdict()}
                )
    return pd.DataFrame(rows, columns=["dataset", "model", "arm", "over", *Gain._fields])


def table1(runs: pd.DataFrame, *, confidence: float = 0.95) -> pd.DataFrame:
    """The paper's layout: one row a data set and model, for each arm its mean, sd and n.

    Arms with synthetic images also have their gain over the same arm without, its confidence
    interval, p and the number of seed pairs. What was not run is empty.
    """
    keys = ["dataset", "model"]
    accuracy, gain = cells(runs), gains(runs, GAINS, confidence=confidence)
    result = accuracy.groupby(keys, sort=False)[["split", "n_train", "n_test"]].first()
    for arm in TABLE1:
        columns = accuracy[accuracy["arm"] == arm].set_index(keys)[["mean", "sd", "n"]]
        result = result.join(columns.astype({"n": "Int64"}).add_prefix(f"{arm}_"))
        if arm in dict(GAINS):
            columns = gain[gain["arm"] == arm].set_index(keys)[
                ["gain", "low", "high", "p", "pairs"]
            ]
            result = result.join(columns.astype({"pairs": "Int64"}).add_prefix(f"{arm}_"))
    return result.reset_index()


def diagnostics(runs: pd.DataFrame, *, confidence: float = 0.95) -> pd.DataFrame:
    """One row a comparison: both arms' mean, sd and n, the gain. An own arm `x+y` is over `x`."""
    accuracy = cells(runs)[[*CELL, "mean", "sd", "n", "n_extra"]]
    own = [arm for arm in runs["arm"].unique() if arm not in HEADINGS]
    pairs = [*DIAGNOSTIC_GAINS, *((arm, arm.split("+")[0]) for arm in own if "+" in arm)]
    gain = gains(runs, pairs, confidence=confidence)
    over = accuracy.rename(columns={"arm": "over"}).drop(columns="n_extra")
    result = gain.merge(accuracy, on=CELL)
    return result.merge(over, on=["dataset", "model", "over"], suffixes=("", "_over"))


def long(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs as a flat table, one row each; accuracy of a class in a column `class: <name>`."""
    flat = runs.drop(columns=["per_class"], errors="ignore")
    if "per_class" not in runs:
        return flat
    return flat.join(pd.DataFrame(runs["per_class"].tolist(), runs.index).add_prefix("class: "))


def _one_value(runs: pd.DataFrame, field: str, within: list[str], why: str) -> None:
    groups = runs.groupby(within, sort=False) if within else [((), runs)]
    for key, group in groups:
        if group[field].nunique(dropna=False) > 1:
            first = group.drop_duplicates(field)
            where = " ".join(map(str, key)) + ": " if within else ""
            raise ValueError(f"{where}{field} differs ({why}): {_files(first, field)}")


def _files(runs: pd.DataFrame, field: str | None = None) -> str:
    says = [f" ({field} {v})" for v in runs[field]] if field else [""] * len(runs)
    return ", ".join(f"{file}{value}" for file, value in zip(runs["file"], says, strict=True))
