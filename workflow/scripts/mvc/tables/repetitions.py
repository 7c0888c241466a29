"""Table 1 again and again: with other classifier seeds, and on other instruction sets.

How far one run's gains and verdicts hold on another machine. A repetition is a data set's row with
a block of seeds of its own; data sets that differ in their instruction set alone are one run on
several kinds of processor.
"""

from collections.abc import Iterator, Mapping

import pandas as pd

from mvc.config.table_columns import Layout
from mvc.core.markdown import format_bounds, format_interval, format_number, format_table
from mvc.tables.statistics import Gain, make_table, read_gain

COUNTED = ("gain", "holds", "does not hold", "mean", "low, high")
EACH = ("gain", "instructions", "seeds", "without", "with", "difference", "interval", "verdict")
PAGE = """\
# Table 1, repeated
{about} Each repetition has {seeds} classifier seeds of its own, and an instruction set: the
machine's own, or an older one, whose rounding makes another generator and other classifiers. The
labelled images are the same. `low` and `high` of a gain are the smallest and the largest of the
repetitions; it holds where the repetition's own {level} % interval (paired t-test over its seeds)
lies above 0.

{summary}

## Each of them
{rows}
"""


def repeat_table(
    runs: pd.DataFrame,
    layout: Layout,
    instructions: Mapping[str, str | None],
    *,
    seeds: int,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Compare the arms of a table in each block of `seeds` seeds, one row per repetition and gain.

    Args:
        runs: of data sets that are repetitions of each other, as `runs.read_runs` returns them.
        instructions: the instruction set of each data set.

    Raises:
        ValueError: a data set has fewer seeds than one repetition, or a rest that fills none.
    """
    parts = []
    for (dataset, model), group in runs.groupby(["dataset", "model"], sort=False):
        found = sorted(group["seed"].unique())
        if len(found) % seeds:
            raise ValueError(
                f"classifiers.seeds ({dataset}): {len(found)} seeds; must be a multiple of "
                f"tables.repetition = {seeds}"
            )
        for start in range(0, len(found), seeds):
            block = found[start : start + seeds]
            row = make_table(group[group["seed"].isin(block)], layout, confidence=confidence)
            shared = {
                "dataset": dataset,
                "model": model,
                "instructions": instructions[dataset] or "own",
                "seeds": f"{block[0]} to {block[-1]}",
            }
            parts += [shared | gain for gain in _list_gains(row.to_dict("records")[0], layout)]
    return pd.DataFrame(parts)


def _list_gains(row: Mapping, layout: Layout) -> Iterator[dict]:
    for arm, over in layout.gains:
        if not pd.isna(row.get(f"{arm}_gain")):
            gain = read_gain(row, arm)
            means = {"without": row[f"{over}_mean"], "with": row[f"{arm}_mean"]}
            yield {"arm": arm, "over": over, **means, **gain._asdict(), "verdict": gain.verdict}


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Summarise each gain over its repetitions: how many hold, mean, smallest and largest gain."""
    grouped = table.groupby(["arm", "over"], sort=False)
    summary = grouped["gain"].agg(repetitions="count", mean="mean", low="min", high="max")
    for verdict in ("holds", "undecided", "does not hold"):
        summary[verdict] = grouped["verdict"].agg(lambda said, v=verdict: int((said == v).sum()))
    return summary.reset_index()


def format_page(
    table: pd.DataFrame, layout: Layout, *, seeds: int, digits: int, confidence: float
) -> str:
    """Format the page: each gain's verdicts counted, then every repetition."""
    counted = [_format_counts(row, layout, digits) for row in summarise(table).to_dict("records")]
    each = [_format_repetition(row, layout, digits) for row in table.to_dict("records")]
    return PAGE.format(
        about=layout.about,
        seeds=seeds,
        level=f"{100 * confidence:g}",
        summary=format_table(COUNTED, counted),
        rows=format_table(EACH, each, left=3),
    )


def _format_counts(row: Mapping, layout: Layout, digits: int) -> tuple[str, ...]:
    return (
        _name_gain(row, layout),
        f"{row['holds']} of {row['repetitions']}",
        str(row["does not hold"]),
        format_number(row["mean"], digits, sign=True),
        format_bounds(row["low"], row["high"], digits, sign=True),
    )


def _format_repetition(row: Mapping, layout: Layout, digits: int) -> tuple[str, ...]:
    return (
        _name_gain(row, layout),
        row["instructions"],
        row["seeds"],
        *(format_number(row[side], digits) for side in ("without", "with")),
        format_number(row["gain"], digits, sign=True),
        format_interval(Gain(*(row[field] for field in Gain._fields)), digits),
        row["verdict"],
    )


def _name_gain(row: Mapping, layout: Layout) -> str:
    return f"{layout.columns[row['arm']]} over {layout.columns[row['over']]}"
