"""Comparison of two arms over labelled subsets: gain, interval and verdict."""

import json
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from mvc.config.subsets import pair_subsets
from mvc.tables.statistics import compare


def compare_pairs(
    runs: pd.DataFrame,
    comparisons: Mapping,
    datasets: Iterable[str],
    *,
    split: str,
    confidence: float,
) -> pd.DataFrame:
    """Compare pairs of arms: one row per comparison, with accuracies, gain, interval, verdict.

    Gains are paired by subset and seed. The interval is that of the mean over subsets, each the
    mean of its seeds (Student's t); with one subset it is that of its seeds, and says nothing of
    other labelled images.

    Args:
        runs: as returned by `tables.runs.read_runs`.
        comparisons: by name, each with `says`, `treated`, `control` and optionally `subsets`.
        split: the images that all runs must have been measured on.

    Returns:
        A table; its column `gains` holds the mean gain of each subset.

    Raises:
        ValueError: a run was measured on another split, or the two sides differ in their seeds.
    """
    for run in runs[runs["split"] != split].itertuples():
        raise ValueError(f"{run.dataset}, {run.arm}: measured on {run.split}, not {split}, images")
    accuracy = runs.set_index(["dataset", "model", "arm", "seed"])["accuracy"].sort_index()
    rows = []
    for name, comparison in comparisons.items():
        treated, control = [], []
        for pair in pair_subsets(name, comparison, datasets):
            both = pd.concat([accuracy[pair.treated], accuracy[pair.control]], axis=1)
            if both.isna().any(axis=None):
                raise ValueError(
                    f"evidence.comparisons.{name}: {pair.treated} and {pair.control} must have the "
                    "same classifiers.seeds"
                )
            treated.append(both.iloc[:, 0])
            control.append(both.iloc[:, 1])
        summary = _summarise(treated, control, confidence)
        rows.append({"name": name, "says": comparison["says"], **summary})
    return pd.DataFrame(rows)


def describe_runs(runs: pd.DataFrame, datasets: Mapping[str, Mapping]) -> pd.DataFrame:
    """Add to each run facts of its data set: `labels` per class, `own` values and `family`.

    Args:
        datasets: the values of each data set that differ from the configuration's.
    """
    values = runs["dataset"].map(datasets)
    families = map(name_family, values, runs["extra"])
    return runs.assign(
        labels=values.map(lambda value: value.get("images", {}).get("labels_per_class")),
        own=values.map(lambda value: json.dumps(value, sort_keys=True)),
        family=list(families),
    )


def name_family(values: Mapping, extra: str | float | None) -> str:
    """Name the family of a curve: what its arm's training reads of a data set, but `images`.

    Args:
        values: the data set's own settings.
        extra: source of the arm's extra images; "real", None and NaN read no generator.
    """
    shared = {key: value for key, value in values.items() if key not in ("images", "seed")}
    if pd.isna(extra) or extra == "real":
        shared = {key: shared.get(key) for key in ("loader", "path", "classifiers")}
    return json.dumps(shared, sort_keys=True)


def _summarise(
    treated: Sequence[pd.Series], control: Sequence[pd.Series], confidence: float
) -> dict:
    """Summarise both sides, each a series per subset: accuracies, and the gain with its test."""
    differences = [a - b for a, b in zip(treated, control, strict=True)]
    gains = [float(difference.mean()) for difference in differences]
    units = gains if len(gains) > 1 else differences[0].astype(float).tolist()
    zeros = dict.fromkeys(range(len(units)), 0.0)
    test = compare(dict(enumerate(units)), zeros, confidence=confidence)
    treated, control = pd.concat(treated), pd.concat(control)
    return {
        "treated": treated.mean(),
        "treated_sd": treated.std(),
        "control": control.mean(),
        "control_sd": control.std(),
        **{key: getattr(test, key) for key in ("gain", "low", "high", "p")},
        "subsets": len(gains),
        "runs": len(treated),
        "verdict": test.verdict,
        "gains": gains,
    }
