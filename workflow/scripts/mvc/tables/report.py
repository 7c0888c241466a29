"""Tables of accuracy as Markdown, with the gains and what was measured below them."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from mvc.config.table_columns import TABLES, name_arm
from mvc.core import markdown
from mvc.core.markdown import (
    format_bounds,
    format_count,
    format_interval,
    format_number,
    format_p_value,
)
from mvc.tables import measures, published, statistics
from mvc.tables.runs import KEYS

NOT_RUN = "not run"
# What each arm of the diagnostics shows.
MEANING = {
    "random": "as many random policies as FAA has found: what its search must beat",
    "ra+long": "real images alone, for as many steps as with synthetic ones: what training "
    "longer does",
    "ra+append": "synthetic images added to each batch, where RSP puts them in place of real ones",
    "ra+pretrained": "the synthetic images of the generator before it was fine-tuned",
    "ra+train_vae": "the training images as the VAE reconstructs them, in place of synthetic "
    "ones: nothing new, but the VAE's blur",
    "ra+real": "as many further labelled real images as there are synthetic ones: the ceiling of "
    "any generator",
    "ra+real_vae": "the same images through the VAE: what the generator's resolution alone costs",
}


def format_markdown(
    runs: pd.DataFrame,
    table: str,
    rows: Sequence[Sequence[str]] = (),
    *,
    digits: int,
    confidence: float = 0.95,
) -> str:
    """Format a table of the paper: its rows, the gains, what was measured, the paper's figures.

    Args:
        runs: as returned by `read_runs`.
        table: `table1` to `table5`.
        rows: pairs (data set, model) that come first, in this order, run or not.
        digits: decimals of accuracy.
        confidence: level of the gains' interval.
    """
    layout = TABLES[table]
    shown = statistics.select_shown(runs, layout)
    names = layout.columns
    accuracy = statistics.summarise_cells(shown, confidence=confidence)
    gain = statistics.compare_arms(shown, layout.gains, confidence=confidence)
    parts = [
        f"# Table {table[-1]}: accuracy in % on the {_describe_split(runs)}",
        layout.about,
        markdown.format_table(
            ["data set", "model", *names.values()],
            [[*key, *cells] for key, cells in format_cells(accuracy, table, rows, digits).items()],
            left=2,
        ),
        "Mean ± standard deviation over seeds (number of seeds).",
        measures.format_section(shown, accuracy, digits, confidence, names.__getitem__),
        "## Gains",
        format_gains(gain, digits, confidence, names.__getitem__)
        if len(gain)
        else "No two arms to compare were run.",
        _explain_gains(confidence),
        _format_mean_gains(gain, names),
        "## What was measured",
        _describe_conditions(accuracy, names.__getitem__) + _describe_stand_ins(shown, names),
        published.format_section(table, accuracy, gain, digits=digits),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def format_cells(
    accuracy: pd.DataFrame,
    table: str,
    rows: Sequence[Sequence[str]],
    digits: int,
    text: Callable[[dict, int], str] | None = None,
) -> dict[tuple[str, str], list[str]]:
    """Format the cells of each (data set, model): `rows` first, then what else was run."""
    by_key = {tuple(c[key] for key in (*KEYS, "arm")): c for c in accuracy.to_dict("records")}
    order = dict.fromkeys([*map(tuple, rows), *(key[:2] for key in by_key)])
    text = text or format_mean_sd
    return {
        key: [
            text(by_key[*key, arm], digits) if (*key, arm) in by_key else NOT_RUN
            for arm in TABLES[table].columns
        ]
        for key in order
    }


def format_diagnostics(runs: pd.DataFrame, *, digits: int, confidence: float = 0.95) -> str:
    """Format the diagnostics, which show where a gain comes from: accuracies and gains."""
    accuracy = statistics.summarise_cells(runs, confidence=confidence)
    ran = set(accuracy["arm"])
    order = dict.fromkeys([*statistics.DIAGNOSTICS, *accuracy["arm"]])
    rank = {arm: i for i, arm in enumerate(order)}
    rows = [
        [*key, name_arm(cell["arm"]), format_count(cell["n_extra"]), format_mean_sd(cell, digits)]
        for key, cells in accuracy.groupby(KEYS, sort=False)
        for cell in sorted(cells.to_dict("records"), key=lambda cell: rank[cell["arm"]])
    ]
    gain = statistics.compare_diagnostics(runs, confidence=confidence)
    parts = [
        f"# Diagnostics: accuracy in % on the {_describe_split(runs)}",
        markdown.format_table(
            ["data set", "model", "arm", "extra images", "accuracy"], rows, left=3
        ),
        "Mean ± standard deviation over seeds (number of seeds).",
        "\n".join(
            f"- {name_arm(arm)}: {meaning}." for arm, meaning in MEANING.items() if arm in ran
        ),
        measures.format_section(runs, accuracy, digits, confidence, name_arm),
        "## Gains",
        format_gains(gain, digits, confidence) if len(gain) else "No two arms to compare.",
        _explain_gains(confidence),
        "## What was measured",
        _describe_conditions(accuracy),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def format_mean_sd(cell: dict, digits: int) -> str:
    """Format a cell's mean, sd and n as `72.9 ± 0.9 (3)`; without sd if there is one seed."""
    sd = "" if cell["n"] < 2 else f" ± {format_number(cell['sd'], digits)}"
    return f"{format_number(cell['mean'], digits)}{sd} ({cell['n']})"


def format_gains(
    gain: pd.DataFrame, digits: int, confidence: float, name: Callable[[str], str] = name_arm
) -> str:
    """Format comparisons in one row each: points gained, interval, p, number of seed pairs."""
    rows = [
        [
            *(row.dataset, row.model, name(row.arm), name(row.over)),
            *(format_number(row.gain, digits, sign=True), format_interval(row, digits)),
            *(format_p_value(row.p), str(row.pairs)),
            format_bounds(row.total_low, row.total_high, digits, sign=True),
        ]
        for row in gain.itertuples()
    ]
    level = f"{100 * confidence:g} % interval"
    headings = ["data set", "model", "arm", "over", "gain", level, "p", "seeds", "seeds and images"]
    return markdown.format_table(headings, rows, left=4)


def _format_mean_gains(gain: pd.DataFrame, names: Mapping[str, str]) -> str:
    mean = gain.groupby(["arm", "over"], sort=False)["gain"].agg(["mean", "count"])
    gains = [
        f"{names[arm]} over {names[over]} "
        f"{format_number(row.mean, 2, sign=True)} ({row.count} rows)"
        for (arm, over), row in zip(mean.index, mean.itertuples(index=False), strict=True)
        if row.count > 1
    ]
    return f"Mean gain over data sets and models: {', '.join(gains)}." if gains else ""


def _describe_split(runs: pd.DataFrame) -> str:
    split = runs["split"].iloc[0]
    return "test split" if split == "test" else f"{split} split (not a test result)"


def _explain_gains(confidence: float) -> str:
    return (
        "Gain in percentage points: the mean of the differences between runs of the same seed. "
        f"Its {100 * confidence:g} % interval and p are those of the two-sided paired t-test over "
        "seeds, not corrected for the number of comparisons; a dash where there are too few seeds. "
        "Seeds vary the classifier alone: labelled subset and synthetic images stay the same. "
        f"*Seeds and images*: the {100 * confidence:g} % interval over both, by the difference on "
        "each test image (two-way analysis of variance, both random); of one seed over images "
        "alone."
    )


def _describe_conditions(accuracy: pd.DataFrame, name: Callable[[str], str] = name_arm) -> str:
    lines = []
    for (dataset, model), cells in accuracy.groupby(KEYS, sort=False):
        first = cells.iloc[0]
        facts = [f"{format_count(first.n_test)} images evaluated"]
        facts.append(f"trained on {_group_by_value(cells, 'n_train', name)} labelled images")
        if cells["n_extra"].max() > 0:
            extra = cells[cells["n_extra"] > 0]
            facts.append(f"extra images: {_group_by_value(extra, 'n_extra', name)}")
        facts.append(f"steps: {_group_by_value(cells, 'steps', name)}")
        lines.append(f"- {dataset}, {model}: {'; '.join(facts)}.")
    return "\n".join(lines)


def _describe_stand_ins(runs: pd.DataFrame, names: Mapping[str, str]) -> str:
    """Describe where a data set's column shows another arm than that of its name."""
    other = runs[runs["arm"] != runs["ran"]].drop_duplicates(["dataset", "arm"])
    lines = [
        f"{row.dataset}: {names[row.arm]} is the arm `{row.ran}`" for row in other.itertuples()
    ]
    return "".join(
        f"\n- {line}, whose synthetic images are all of that generator." for line in lines
    )


def _group_by_value(cells: pd.DataFrame, field: str, name: Callable[[str], str]) -> str:
    """Group arms by value: `1,500`, or if they differ `1,500 (Baseline, RA), 1,800 (Ours(Syn))`."""
    groups = cells.groupby(field, sort=False)["arm"].apply(list)
    if len(groups) == 1:
        return format_count(groups.index[0])
    return ", ".join(
        f"{format_count(v)} ({', '.join(map(name, arms))})" for v, arms in groups.items()
    )
