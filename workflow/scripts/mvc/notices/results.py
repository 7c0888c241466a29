"""What the records of classifier runs tell: accuracies no better than guessing, overfitting."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from mvc.notices.notice import FIRST, THIRD, Notice, format_count

NEEDED = {"model", "arm", "per_class", "accuracy", "train_accuracy", "n_test"}
GAP = 30  # points of accuracy between training and evaluation images


def list_result_notices(runs: Sequence[Mapping]) -> list[Notice]:
    """Notices of one data set's runs, with the warnings that they carry.

    Args:
        runs: their records, each with its `file`.
    """
    notices = [
        Notice(text, run["file"], FIRST)
        for text, run in {w: run for run in runs for w in run.get("warnings", [])}.items()
    ]
    cells: dict[str, list[Mapping]] = {}
    for run in runs:
        if NEEDED <= run.keys() and run["per_class"]:  # the tables refuse others
            cells.setdefault(f"{run['model']} {run['arm']}", []).append(run)
    return notices + find_guessing(cells) + find_overfitting(cells)


def find_guessing(cells: Mapping[str, Sequence[Mapping]]) -> list[Notice]:
    """A notice of arms whose mean accuracy over classes is within its error of 1 / classes."""
    at_chance = [name for name, runs in cells.items() if has_guessed(runs)]
    if not at_chance:
        return []
    run = cells[at_chance[0]][0]
    chance = 100 / len(run["per_class"])
    text = (
        f"{len(at_chance)} of {format_count(len(cells), 'arm')} are no better than guessing "
        f"({chance:.0f} %), such as {at_chance[0]}: their differences mean nothing"
    )
    return [Notice(text, run["file"], FIRST)]


def has_guessed(runs: Sequence[Mapping]) -> bool:
    """Whether balanced accuracy is at most chance plus two binomial errors of the test images."""
    classes = len(runs[0]["per_class"])
    mean = fmean(fmean(run["per_class"].values()) for run in runs) / 100
    chance = 1 / max(classes, 1)
    error = (chance * (1 - chance) / max(runs[0]["n_test"], 1)) ** 0.5
    return classes > 1 and mean <= chance + 2 * error


def find_overfitting(cells: Mapping[str, Sequence[Mapping]]) -> list[Notice]:
    """A notice of the arm whose training images are recognised far better than others."""
    gaps = {
        name: fmean(run["train_accuracy"] - run["accuracy"] for run in runs)
        for name, runs in cells.items()
    }
    if not gaps or max(gaps.values()) < GAP:
        return []
    name = max(gaps, key=gaps.__getitem__)
    run = cells[name][0]
    text = (
        f"{sum(gap >= GAP for gap in gaps.values())} of {format_count(len(cells), 'arm')} know "
        f"their training images over {GAP} points better than the evaluated ones, most so {name} "
        f"({run['train_accuracy']:.0f} % and {run['accuracy']:.0f} %): more labelled images help "
        "most"
    )
    return [Notice(text, run["file"], THIRD)]
