"""Accuracy with its interval, balanced accuracy and macro-F1 of every arm, as Markdown."""

from collections.abc import Callable

import pandas as pd

from mvc.classifiers.measures import find_majority
from mvc.core import markdown
from mvc.core.markdown import format_bounds, format_number
from mvc.tables.runs import KEYS

BINARY = 2  # classes up to which the recall of each is shown


def format_section(
    runs: pd.DataFrame,
    cells: pd.DataFrame,
    digits: int,
    confidence: float,
    name: Callable[[str], str],
) -> str:
    """Format a row per arm, what its columns mean, and what naming the largest class gives.

    Args:
        runs: as returned by `read_runs`.
        cells: as returned by `statistics.summarise_cells`.
        name: gives an arm's heading.
    """
    rows = [
        [
            *(cell["dataset"], cell["model"], name(cell["arm"])),
            format_number(cell["mean"], digits),
            format_bounds(cell["mean_low"], cell["mean_high"], digits),
            *(_format_mean_sd(cell, key, digits) for key in ("balanced", "f1")),
        ]
        for cell in cells.to_dict("records")
    ]
    level = f"{100 * confidence:g} % interval"
    headings = ["data set", "model", "arm", "accuracy", level, "balanced accuracy", "macro-F1"]
    parts = [
        "## Accuracy with test images, balanced accuracy, macro-F1",
        markdown.format_table(headings, rows, left=3),
        f"The {level} of accuracy covers test images as well as seeds (of one seed, images alone): "
        "Wilson's, with the variance of the mean over both, which are crossed and random. Balanced "
        "accuracy is the mean recall, macro-F1 the mean F1 over the classes that have test images: "
        "each class counts alike. Confusion matrices, drawn by the target `all`: "
        "`results/<data set>/classifiers/<model>/<arm>/confusion.png`.",
        "\n".join(_list_baselines(runs, digits)),
    ]
    if recalls := _format_recalls(runs, digits, name):
        parts += ["Recall in % of each class, where there are two (sensitivity):", recalls]
    return "\n\n".join(parts)


def _list_baselines(runs: pd.DataFrame, digits: int) -> list[str]:
    """What always naming the largest class gives, a line per data set."""
    lines = []
    for dataset, group in runs.groupby("dataset", sort=False):
        confusion = group["confusion"].iloc[0]
        largest = find_majority(confusion)
        sizes = [sum(row.values()) for row in confusion.values()]
        share = format_number(100 * max(sizes) / sum(sizes), digits)
        even = format_number(100 / sum(size > 0 for size in sizes), digits)
        lines.append(
            f"- {dataset}: always naming `{largest}`, the largest class, has accuracy {share}, "
            f"balanced accuracy {even}."
        )
    return lines


def _format_recalls(runs: pd.DataFrame, digits: int, name: Callable[[str], str]) -> str:
    rows = []
    for (*key, arm), group in runs.groupby([*KEYS, "arm"], sort=False):
        if len(group["confusion"].iloc[0]) <= BINARY:
            recalls = pd.DataFrame(group["per_class"].tolist()).mean()
            rows += [
                [*key, name(arm), each, format_number(recall, digits)]
                for each, recall in recalls.items()
            ]
    headings = ["data set", "model", "arm", "class", "recall"]
    return markdown.format_table(headings, rows, left=4) if rows else ""


def _format_mean_sd(cell: dict, key: str, digits: int) -> str:
    mean, sd = (cell[f"{key}_{what}"] for what in ("mean", "sd"))
    shown = "" if pd.isna(sd) else f" ± {format_number(sd, digits)}"
    return format_number(mean, digits) + shown
