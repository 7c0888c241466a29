"""The tables of accuracy as Markdown, for a person: what was measured stands next to it."""

import pandas as pd

from mvc import markdown
from mvc.markdown import count, number, p_value
from mvc.tables import DIAGNOSTICS, GAINS, TABLE1, cells, diagnostics, gains, heading

NOT_RUN = "not run"
KEYS = ["dataset", "model"]


def table1_markdown(runs: pd.DataFrame, *, digits: int, confidence: float = 0.95) -> str:
    """Table 1: a row for each data set and model, then the gains, then what they were measured on.

    Args:
        runs: as `tables.read` gives them.
        digits: decimals of accuracy.
        confidence: level of the gains' interval.
    """
    accuracy = cells(runs)
    rows = []
    for key, own in accuracy.groupby(KEYS, sort=False):
        by_arm = {cell["arm"]: mean_sd(cell, digits) for cell in own.to_dict("records")}
        rows.append([*key, *(by_arm.get(arm, NOT_RUN) for arm in TABLE1)])
    gain = gains(runs, GAINS, confidence=confidence)
    parts = [
        f"# Table 1: accuracy in % on the {_split(runs)}",
        markdown.table(["data set", "model", *(heading(a) for a in TABLE1)], rows, left=2),
        "Mean ± standard deviation over seeds (number of seeds).",
        "## Gain of the synthetic images",
        gain_table(gain, digits, confidence) if len(gain) else "No arm was run with and without.",
        _legend(confidence),
        "## What was measured",
        _conditions(accuracy[accuracy["arm"].isin(TABLE1)]),
    ]
    mean = _mean_gains(gain)
    return "\n\n".join(parts[:5] + ([mean] if mean else []) + parts[5:]) + "\n"


def diagnostics_markdown(runs: pd.DataFrame, *, digits: int, confidence: float = 0.95) -> str:
    """Where a gain comes from or stays away: extra real images, the VAE alone, the pre-trained."""
    accuracy = cells(runs)
    rank = {arm: i for i, arm in enumerate(dict.fromkeys([*DIAGNOSTICS, *accuracy["arm"]]))}
    rows = [
        [*key, heading(cell["arm"]), count(cell["n_extra"]), mean_sd(cell, digits)]
        for key, own in accuracy.groupby(KEYS, sort=False)
        for cell in sorted(own.to_dict("records"), key=lambda cell: rank[cell["arm"]])
    ]
    gain = diagnostics(runs, confidence=confidence)
    parts = [
        f"# Diagnostics: accuracy in % on the {_split(runs)}",
        markdown.table(["data set", "model", "arm", "extra images", "accuracy"], rows, left=3),
        "Mean ± standard deviation over seeds (number of seeds). `RA + real` has as many further "
        "labelled real images as `Ours(RA+Syn)` has synthetic ones: the ceiling of any generator. "
        "The same images `through the VAE` show what the generator's resolution alone costs.",
        "## Gains",
        gain_table(gain, digits, confidence) if len(gain) else "No two arms to compare.",
        _legend(confidence),
        "## What was measured",
        _conditions(accuracy),
    ]
    return "\n\n".join(parts) + "\n"


def mean_sd(cell: dict, digits: int) -> str:
    """A cell's mean, sd and n as `72.9 ± 0.9 (3)`; no deviation where there is one seed."""
    sd = "" if cell["n"] < 2 else f" ± {number(cell['sd'], digits)}"
    return f"{number(cell['mean'], digits)}{sd} ({cell['n']})"


def gain_table(gain: pd.DataFrame, digits: int, confidence: float) -> str:
    """One row a comparison: points gained, their interval, p and the number of seed pairs."""
    rows = []
    for row in gain.itertuples():
        interval = "–"
        if row.low == row.low:  # not NaN
            low, high = (number(v, digits, sign=True) for v in (row.low, row.high))
            interval = f"[{low}, {high}]"
        points = number(row.gain, digits, sign=True)
        arms = [heading(row.arm), heading(row.over)]
        rows.append(
            [row.dataset, row.model, *arms, points, interval, p_value(row.p), str(row.pairs)]
        )
    level = f"{100 * confidence:g} % interval"
    headings = ["data set", "model", "arm", "over", "gain", level, "p", "seeds"]
    return markdown.table(headings, rows, left=4)


def _mean_gains(gain: pd.DataFrame) -> str:
    mean = gain.groupby("arm", sort=False)["gain"].agg(["mean", "count"])
    many = [row for row in mean.itertuples() if row.count > 1]
    if not many:
        return ""
    says = [f"{heading(r.Index)} {number(r.mean, 2, sign=True)} ({r.count} rows)" for r in many]
    return f"Mean over data sets and models: {', '.join(says)}."


def _split(runs: pd.DataFrame) -> str:
    split = runs["split"].iloc[0]
    return "test split" if split == "test" else f"{split} split (not a test result)"


def _legend(confidence: float) -> str:
    return (
        "Gain in percentage points: the mean of the differences between runs of the same seed. "
        f"Its {100 * confidence:g} % interval and p are those of the two-sided paired t-test over "
        "seeds, not corrected for the number of comparisons; a dash where there are too few seeds. "
        "Seeds vary the classifier alone: labelled subset and synthetic images stay the same."
    )


def _conditions(accuracy: pd.DataFrame) -> str:
    lines = []
    for (dataset, model), own in accuracy.groupby(KEYS, sort=False):
        first = own.iloc[0]
        says = [f"{count(first.n_test)} images evaluated"]
        says.append(f"trained on {_by_arm(own, 'n_train')} labelled images")
        if own["n_extra"].max() > 0:
            says.append(f"extra images: {_by_arm(own[own['n_extra'] > 0], 'n_extra')}")
        says.append(f"updates: {_by_arm(own, 'updates')}")
        lines.append(f"- {dataset}, {model}: {'; '.join(says)}.")
    return "\n".join(lines)


def _by_arm(own: pd.DataFrame, field: str) -> str:
    """`1,500`, or where arms differ `1,500 (Baseline, RA), 1,800 (Ours(Syn))`."""
    groups = own.groupby(field, sort=False)["arm"].apply(list)
    if len(groups) == 1:
        return count(groups.index[0])
    return ", ".join(
        f"{count(v)} ({', '.join(heading(a) for a in arms)})" for v, arms in groups.items()
    )
