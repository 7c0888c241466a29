"""Two arms compared over labelled subsets: the gain, its interval and its verdict."""

from collections.abc import Iterable, Mapping

from mvc.config.subsets import pair_subsets


def compare_pairs(
    runs, comparisons: Mapping, datasets: Iterable[str], *, split: str, confidence: float
):
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
        found = pair_subsets(name, comparison, datasets)
        for pair in found:
            both = pd.concat([accuracy[pair.treated], accuracy[pair.control]], axis=1)
            if both.isna().any(axis=None):
                raise ValueError(
                    f"evidence.comparisons.{name}: {pair.treated} and {pair.control} must have the "
                    "same classifiers.seeds"
                )
            ours.append(both.iloc[:, 0])
            theirs.append(both.iloc[:, 1])
        rows.append(
            {"name": name, "says": comparison["says"], **_summarise(ours, theirs, confidence)}
        )
    return pd.DataFrame(rows)


def _summarise(ours: list, theirs: list, confidence: float) -> dict:
    import pandas as pd

    from mvc.tables.statistics import compare

    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    gains = [float(difference.mean()) for difference in differences]
    units = gains if len(gains) > 1 else differences[0].astype(float).tolist()
    test = compare(
        dict(enumerate(units)), dict.fromkeys(range(len(units)), 0.0), confidence=confidence
    )
    treated, control = pd.concat(ours), pd.concat(theirs)
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
