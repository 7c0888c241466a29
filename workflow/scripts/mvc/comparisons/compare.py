"""Two arms over labelled subsets: which sets a comparison is made on, its gain and its verdict.

A labelled subset is a data set of its own: other labelled images, captions, mixtures, generator.
Runs of one subset share all of that, so the subset is the unit of the interval, not the run.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

SUBSET = "{subset}"
VERDICTS = ("holds", "does not hold", "undecided")


class Side(NamedTuple):
    """What is trained and measured."""

    dataset: str
    model: str
    arm: str


class Pair(NamedTuple):
    """Two sides that differ in what a comparison is about, and share their labelled subset."""

    subset: int
    treated: Side
    control: Side


def pairs(name: str, comparison: Mapping, datasets: Iterable[str]) -> list[Pair]:
    """The pairs of a comparison: one for each number that gives two data sets that there are.

    Args:
        comparison: `treated` and `control` as `data set/model/arm`, with `{subset}` in the data
            set's name where a number stands; `subsets`: the first so many alone.
        datasets: names of all.

    Raises:
        ValueError: a side has not three parts, or no number, or fewer than `subsets`, give two
            data sets.
    """
    found, names = [], set(datasets)
    sides = {key: comparison[key].split("/") for key in ("treated", "control")}
    for key, parts in sides.items():
        if len(parts) != 3:
            raise ValueError(
                f"evidence.comparisons.{name}.{key} = {comparison[key]!r}; must be "
                "<data set>/<classifier>/<arm>"
            )
    treated, control = (Side(*parts) for parts in sides.values())
    for subset in _numbers(treated.dataset, names):
        both = [
            side._replace(dataset=side.dataset.replace(SUBSET, str(subset)))
            for side in (treated, control)
        ]
        if all(side.dataset in names for side in both):
            found.append(Pair(subset, *both))
    if not found:
        raise ValueError(
            f"evidence.comparisons.{name}: no data sets {treated.dataset} and {control.dataset}; "
            f"there are {', '.join(sorted(names))}"
        )
    wanted = comparison.get("subsets", len(found))
    if wanted > len(found):
        raise ValueError(
            f"evidence.comparisons.{name}.subsets = {wanted}; there are {len(found)} of "
            f"{treated.dataset} and {control.dataset}"
        )
    return found[:wanted]


def _numbers(pattern: str, names: Iterable[str]) -> list[int]:
    """The numbers that make names out of a pattern; 0 for a pattern without a place for one."""
    if SUBSET not in pattern:
        return [0]
    head, tail = map(re.escape, pattern.split(SUBSET, 1))
    hits = (re.fullmatch(rf"{head}(\d+){tail}", name) for name in names)
    return sorted(int(hit[1]) for hit in hits if hit)


def results(runs, comparisons: Mapping, datasets: Iterable[str], *, split: str, confidence: float):
    """One row a comparison: both accuracies, the gain, its interval and the verdict.

    Gains are paired by subset and seed. The interval is that of the mean over subsets, each the
    mean of its seeds (Student's t); with one subset it is that of its seeds, and says nothing of
    other labelled images.

    Args:
        runs: as `runs.read` gives them.
        comparisons: by name, each with `says`, `treated`, `control` and, at will, `subsets`.
        split: the images that all runs must have been measured on.

    Returns:
        A table; its column `gains` holds the mean gain of each subset.

    Raises:
        ValueError: a run was measured on another split, or the two sides differ in their seeds.
    """
    import pandas as pd

    for run in runs[runs["split"] != split].itertuples():
        raise ValueError(f"{run.dataset}, {run.arm}: measured on {run.split}, not {split}, images")
    accuracy = runs.set_index(["dataset", "model", "arm", "seed"])["accuracy"].sort_index()
    rows = []
    for name, comparison in comparisons.items():
        ours, theirs = [], []
        found = pairs(name, comparison, datasets)
        for pair in found:
            both = pd.concat([accuracy[pair.treated], accuracy[pair.control]], axis=1)
            if both.isna().any(axis=None):
                raise ValueError(
                    f"evidence.comparisons.{name}: {pair.treated} and {pair.control} must have the "
                    "same classifiers.seeds"
                )
            ours.append(both.iloc[:, 0])
            theirs.append(both.iloc[:, 1])
        rows.append({"name": name, "says": comparison["says"], **_result(ours, theirs, confidence)})
    return pd.DataFrame(rows)


def _result(ours: list, theirs: list, confidence: float) -> dict:
    import pandas as pd

    from mvc.tables.statistics import compare

    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    gains = [float(difference.mean()) for difference in differences]
    units = gains if len(gains) > 1 else differences[0].astype(float).tolist()
    test = compare(
        dict(enumerate(units)), dict.fromkeys(range(len(units)), 0.0), confidence=confidence
    )
    verdict = VERDICTS[0] if test.low > 0 else VERDICTS[1] if test.high < 0 else VERDICTS[2]
    treated, control = pd.concat(ours), pd.concat(theirs)
    return {
        "treated": treated.mean(),
        "treated_sd": treated.std(),
        "control": control.mean(),
        "control_sd": control.std(),
        **{key: getattr(test, key) for key in ("gain", "low", "high", "p")},
        "subsets": len(gains),
        "runs": len(treated),
        "verdict": verdict,
        "gains": gains,
    }
