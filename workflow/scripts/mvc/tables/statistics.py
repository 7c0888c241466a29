"""Accuracy of every arm over its seeds, and the gain over the right baseline (Section 4).

Gains are paired by seed, so that what a seed does to both arms cancels.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
from scipy import stats

from mvc.config.table_columns import Layout, choose_arms
from mvc.tables.runs import CELL, KEYS

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


def summarise_cells(runs: pd.DataFrame) -> pd.DataFrame:
    """Summarise each cell over its seeds, in the order of the runs: mean, sd (ddof 1) and n."""
    grouped = runs.groupby(CELL, sort=False)
    result = grouped["accuracy"].agg(mean="mean", sd="std", n="count")
    shared = grouped[["split", "n_train", "n_extra", "n_test", "steps"]].first()
    return result.join(shared).reset_index()


def compare_arms(
    runs: pd.DataFrame, pairs: Sequence[tuple[str, str]], *, confidence: float = 0.95
) -> pd.DataFrame:
    """Compare each pair (arm, over) of a data set and model of which both arms were run."""
    rows = []
    for (dataset, model), group in runs.groupby(["dataset", "model"], sort=False):
        by_seed = {
            arm: dict(zip(r["seed"], r["accuracy"], strict=True)) for arm, r in group.groupby("arm")
        }
        for arm, over in pairs:
            if arm in by_seed and over in by_seed:
                gain = compare(by_seed[arm], by_seed[over], confidence=confidence)
                rows.append(
                    {"dataset": dataset, "model": model, "arm": arm, "over": over, **gain._asdict()}
                )
    return pd.DataFrame(rows, columns=["dataset", "model", "arm", "over", *Gain._fields])


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

    A column has its mean, sd and n as `{arm}_mean` and so on. An arm's first gain of the layout is
    `{arm}_gain`, with its interval, p and the number of seed pairs; a further one over `x` is
    `{arm}_over_{x}_gain`.

    Args:
        rows: pairs (data set, model) that come first, in this order, run or not.
    """
    runs = select_shown(runs, layout)
    accuracy, gain = summarise_cells(runs), compare_arms(runs, layout.gains, confidence=confidence)
    facts = accuracy.groupby(KEYS, sort=False)[["split", "n_train", "n_test"]].first()
    order = list(dict.fromkeys([*map(tuple, rows), *facts.index]))
    result = facts.reindex(pd.MultiIndex.from_tuples(order, names=KEYS))
    result = result.astype({"n_train": "Int64", "n_test": "Int64"})
    named = set()
    for arm in layout.columns:
        columns = accuracy[accuracy["arm"] == arm].set_index(KEYS)[["mean", "sd", "n"]]
        result = result.join(columns.astype({"n": "Int64"}).add_prefix(f"{arm}_"))
        for over in (over for ours, over in layout.gains if ours == arm):
            columns = gain[(gain["arm"] == arm) & (gain["over"] == over)].set_index(KEYS)
            columns = columns[["gain", "low", "high", "p", "pairs"]].astype({"pairs": "Int64"})
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
