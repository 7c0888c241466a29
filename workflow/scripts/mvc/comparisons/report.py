"""Comparisons as a Markdown table, and as plots of intervals and curves."""

from pathlib import Path

import matplotlib
import pandas as pd

from mvc.core import markdown
from mvc.core.atomic import atomic
from mvc.core.markdown import format_interval, format_number, format_p_value

matplotlib.use("Agg")
COLOURS = {"holds": "#1a7f37", "does not hold": "#b3261e", "undecided": "#5f6368"}


def format_page(table: pd.DataFrame, *, split: str, digits: int, confidence: float) -> str:
    """Format comparisons in one row each, and below them what the figures mean."""
    rows = [
        [
            row.says,
            f"{format_number(row.treated, digits)} ± {format_number(row.treated_sd, digits)}",
            f"{format_number(row.control, digits)} ± {format_number(row.control_sd, digits)}",
            format_number(row.gain, digits, sign=True),
            format_interval(row, digits),
            format_p_value(row.p),
            f"{row.subsets} × {row.runs / row.subsets:.3g}",
            row.verdict,
        ]
        for row in table.itertuples()
    ]
    headings = ["comparison", "treated", "control", "gain", f"{confidence:.0%} interval", "p"]
    headings += ["subsets × seeds", "verdict"]
    parts = [
        f"# Comparisons: accuracy in % on the {split} images",
        markdown.format_table(headings, rows),
        "Mean ± standard deviation over all runs. Gains in points, paired by labelled subset and "
        "seed; the interval is that of the mean over subsets (Student's t), with one subset that "
        "of its seeds. *Holds*: the interval lies above 0; *does not hold*: below; *undecided*: 0 "
        "is in it.",
    ]
    return "\n\n".join(parts) + "\n"


def write_intervals(table: pd.DataFrame, path: str | Path) -> None:
    """Plot gains with their intervals, and a dot for each labelled subset."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.36 * len(table)), layout="constrained")
    for place, row in enumerate(table.itertuples()):
        colour = COLOURS[row.verdict]
        axes.plot(row.gains, [place] * row.subsets, "o", color=colour, alpha=0.35, markersize=5)
        axes.plot([row.low, row.high], [place, place], color=colour, linewidth=2.2)
        axes.plot(row.gain, place, "D", color=colour, markersize=6)
    axes.axvline(0, color="#202124", linewidth=0.8)
    axes.set_yticks(range(len(table)), table["says"])
    axes.set_ylim(len(table) - 0.5, -0.5)
    axes.set_xlabel("gain in points: mean, interval and each subset")
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right", "left"]].set_visible(False)
    with atomic(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
    plt.close(figure)


def average_curves(runs: pd.DataFrame) -> pd.DataFrame:
    """Average the accuracy by labelled images per class: mean and standard deviation.

    A curve belongs to one classifier, arm and family, and has at least two points.

    Args:
        runs: as returned by `describe_runs`; runs that have no number of labels are left out.

    Returns:
        A row per point: model, arm, family, labels, mean, std.
    """
    keys = ["model", "arm", "family"]
    points = runs.groupby([*keys, "labels"])["accuracy"].agg(["mean", "std"]).reset_index()
    return points[points.groupby(keys)["labels"].transform("size") > 1]


def write_curves(runs: pd.DataFrame, path: str | Path) -> None:
    """Plot the curves: a line per arm, a panel per classifier."""
    import matplotlib.pyplot as plt

    points = average_curves(runs)
    models = sorted(set(runs["model"]))
    figure, panels = plt.subplots(
        1,
        len(models),
        figsize=(5 * len(models), 4),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for axes, model in zip(panels[0], models, strict=True):
        drawn = points[points["model"] == model]
        for (arm, _), line in drawn.groupby(["arm", "family"]):
            axes.errorbar(
                line["labels"], line["mean"], line["std"], label=arm, marker="o", capsize=3
            )
        axes.set(xlabel="labelled images per class", title=model, xscale="log")
        ticks = sorted(drawn["labels"].unique())
        axes.set_xticks(ticks, [f"{tick:.0f}" for tick in ticks])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        if len(drawn):
            axes.legend(frameon=False)
    panels[0][0].set_ylabel("accuracy, %")
    if points.empty:
        figure.suptitle("No curve: all data sets have the same number of labelled images.")
    with atomic(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
    plt.close(figure)
