"""Accuracy of every arm over its seeds, and the gain over the right baseline (Section 4).

Gains are paired by seed, so that what a seed does to both arms cancels.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from mvc.classifiers.measures import unpack_correct
from mvc.config.table_columns import Layout, choose_arms
from mvc.tables.intervals import bound_accuracy, bound_gain
from mvc.tables.runs import CELL, KEYS

OTHERS = {"balanced": "balanced_accuracy", "f1": "macro_f1"}
SHOWN = ("mean", "sd", "n", "mean_low", "mean_high")
SHOWN += tuple(f"{name}_{what}" for name in OTHERS for what in ("mean", "sd"))
TOTAL = ("total_low", "total_high")

DIAGNOSTICS = (
    "random",
    "faa",
    "aa",
    "ra",
    "ra+syn",
    "ra+long",
    "ra+append",
    "ra+pretrained",
    "ra+train_vae",
    "ra+real_vae",
    "ra+real",
)
DIAGNOSTIC_GAINS = (
    ("faa", "random"),  # what the search finds that chance does not
    ("ra+syn", "ra"),
    ("ra+long", "ra"),
    ("ra+append", "ra"),
    ("ra+pretrained", "ra"),
    ("ra+train_vae", "ra"),
    ("ra+real_vae", "ra"),
    ("ra+real", "ra"),
    ("ra+syn", "ra+long"),  # the images or the longer training
    ("ra+syn", "ra+pretrained"),  # fine-tuned against pre-trained generator, as in Table 4
    ("ra+real_vae", "ra+real"),  # what the VAE alone costs
    ("ra+syn", "ra+real"),  # what is left to the ceiling
)
NO_SPREAD = 1e-9  # points; below this the differences are equal but for rounding


class Gain(NamedTuple):
    """A paired comparison, in percentage points; NaN where the seeds are too few to say."""

    pairs: int
    gain: float
    low: float
    high: float
    p: float

    @property
    def verdict(self) -> str:
        """Whether the interval lies above 0 or below it; undecided if it holds 0 or is missing."""
        return "holds" if self.low > 0 else "does not hold" if self.high < 0 else "undecided"


def read_gain(row: Mapping, prefix: str, bounds: tuple[str, str] = ("low", "high")) -> Gain:
    """Read a gain from a row of a table.

    Args:
        prefix: of its columns, such as `{prefix}_gain`.
        bounds: `TOTAL` for the interval over seeds and test images.
    """
    fields = ("pairs", "gain", *bounds, "p")
    return Gain(*(row[f"{prefix}_{field}"] for field in fields))


def compare(ours: dict[int, float], theirs: dict[int, float], *, confidence: float = 0.95) -> Gain:
    """Compare by the mean gain over common seeds, with interval and two-sided paired t-test.

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


def summarise_cells(runs: pd.DataFrame, *, confidence: float = 0.95) -> pd.DataFrame:
    """Summarise each cell over its seeds, in the order of the runs.

    Mean, sd (ddof 1) and n of accuracy; `mean_low` and `mean_high`, which bound it over seeds and
    test images; mean and sd of balanced accuracy and macro-F1.
    """
    grouped = runs.groupby(CELL, sort=False)
    result = grouped["accuracy"].agg(mean="mean", sd="std", n="count")
    bounds = [bound_accuracy(_stack(cell), confidence=confidence) for _, cell in grouped]
    result[["mean_low", "mean_high"]] = bounds
    for name, field in OTHERS.items():
        result[[f"{name}_mean", f"{name}_sd"]] = grouped[field].agg(["mean", "std"])
    shared = grouped[["split", "n_train", "n_extra", "n_test", "steps"]].first()
    return result.join(shared).reset_index()


def compare_arms(
    runs: pd.DataFrame, pairs: Sequence[tuple[str, str]], *, confidence: float = 0.95
) -> pd.DataFrame:
    """Compare each pair (arm, over) of a data set and model of which both arms were run.

    `total_low` and `total_high` bound the gain over seeds and test images, `low` and `high` over
    seeds alone.
    """
    rows = []
    for (dataset, model), group in runs.groupby(["dataset", "model"], sort=False):
        by_seed = {
            arm: dict(zip(r["seed"], r["accuracy"], strict=True)) for arm, r in group.groupby("arm")
        }
        for arm, over in pairs:
            if arm in by_seed and over in by_seed:
                gain = compare(by_seed[arm], by_seed[over], confidence=confidence)
                both = group[group["arm"].isin([arm, over])]
                total = _bound_over_images(both, arm, over, confidence)
                rows.append((dataset, model, arm, over, *gain, *total))
    return pd.DataFrame(rows, columns=[*CELL, "over", *Gain._fields, *TOTAL])


def _bound_over_images(
    both: pd.DataFrame, arm: str, over: str, confidence: float
) -> tuple[float, float]:
    """Bound a gain over seeds and test images; NaN without a common seed."""
    seeds = set.intersection(*(set(runs["seed"]) for _, runs in both.groupby("arm")))
    both = both[both["seed"].isin(seeds)].sort_values("seed")
    if both.empty:
        return math.nan, math.nan
    ours, theirs = (_stack(both[both["arm"] == name]) for name in (arm, over))
    return bound_gain(ours, theirs, confidence=confidence)


def _stack(cell: pd.DataFrame) -> np.ndarray:
    """Which test images each run of a cell recognises: (seeds, images)."""
    pairs = zip(cell["correct"], cell["n_test"], strict=True)
    return np.stack([unpack_correct(text, int(n)) for text, n in pairs])


def select_shown(runs: pd.DataFrame, layout: Layout) -> pd.DataFrame:
    """Select the runs that a table shows; `arm` is then their column, and `ran` the arm itself."""
    parts = []
    for _, group in runs.groupby("dataset", sort=False):
        column = {arm: name for name, arm in choose_arms(layout, set(group["arm"])).items()}
        group = group[group["arm"].isin(column)]
        parts.append(group.assign(ran=group["arm"], arm=group["arm"].map(column)))
    return pd.concat(parts)


def make_table(
    runs: pd.DataFrame,
    layout: Layout,
    rows: Sequence[Sequence[str]] = (),
    *,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Make a table in the paper's layout: a row per data set and model, empty where not run.

    A column has what `summarise_cells` gives as `{arm}_mean` and so on. An arm's first gain of the
    layout is `{arm}_gain`, with its intervals, p and the number of seed pairs; a further one over
    `x` is `{arm}_over_{x}_gain`.

    Args:
        rows: pairs (data set, model) that come first, in this order, run or not.
    """
    runs = select_shown(runs, layout)
    accuracy = summarise_cells(runs, confidence=confidence)
    gain = compare_arms(runs, layout.gains, confidence=confidence)
    facts = accuracy.groupby(KEYS, sort=False)[["split", "n_train", "n_test"]].first()
    order = list(dict.fromkeys([*map(tuple, rows), *facts.index]))
    result = facts.reindex(pd.MultiIndex.from_tuples(order, names=KEYS))
    result = result.astype({"n_train": "Int64", "n_test": "Int64"})
    named = set()
    for arm in layout.columns:
        columns = accuracy[accuracy["arm"] == arm].set_index(KEYS)[list(SHOWN)]
        result = result.join(columns.astype({"n": "Int64"}).add_prefix(f"{arm}_"))
        for over in (over for ours, over in layout.gains if ours == arm):
            columns = gain[(gain["arm"] == arm) & (gain["over"] == over)].set_index(KEYS)
            columns = columns[["gain", "low", "high", "p", "pairs", *TOTAL]].astype(
                {"pairs": "Int64"}
            )
            result = result.join(
                columns.add_prefix(f"{arm}_over_{over}_" if arm in named else f"{arm}_")
            )
            named.add(arm)
    return result.reset_index()


def compare_diagnostics(runs: pd.DataFrame, *, confidence: float = 0.95) -> pd.DataFrame:
    """Compare the arms of the diagnostics: mean, sd and n of both, and the gain.

    An arm `x+y` that is not among them is compared with `x`.
    """
    accuracy = summarise_cells(runs)[[*CELL, "mean", "sd", "n", "n_extra"]]
    known = {arm for arm, _ in DIAGNOSTIC_GAINS}
    added = [arm for arm in runs["arm"].unique() if "+" in arm and arm not in known]
    pairs = [*DIAGNOSTIC_GAINS, *((arm, arm.split("+")[0]) for arm in added)]
    gain = compare_arms(runs, pairs, confidence=confidence)
    over = accuracy.rename(columns={"arm": "over"}).drop(columns="n_extra")
    result = gain.merge(accuracy, on=CELL)
    return result.merge(over, on=["dataset", "model", "over"], suffixes=("", "_over"))
