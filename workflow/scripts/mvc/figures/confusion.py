"""Confusion matrices as pictures, of two classes to a thousand."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from jaxtyping import Int

from mvc.core.atomic import atomic

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402, once the backend is chosen
from matplotlib.colors import PowerNorm  # noqa: E402

WRITTEN = 14  # classes up to which each cell has its number
NAMED = 200  # classes up to which each has its name
LISTED = 8  # most frequent mistakes that are listed
LETTERS = 24  # of a name that are shown


def sum_confusions(records: Sequence[Mapping]) -> tuple[list[str], Int[np.ndarray, "k k"]]:
    """Sum the matrices of runs: the classes, and their images by what they were taken for.

    Raises:
        ValueError: runs differ in their classes.
    """
    names = list(records[0]["confusion"])
    place = {name: i for i, name in enumerate(names)}
    counts = np.zeros((len(names), len(names)), np.int64)
    for record in records:
        if list(record["confusion"]) != names:
            raise ValueError("runs differ in their classes; delete them and run again")
        for name, row in record["confusion"].items():
            for other, count in row.items():
                counts[place[name], place[other]] += count
    return names, counts


def list_mistakes(names: Sequence[str], counts: Int[np.ndarray, "k k"]) -> list[str]:
    """List the most frequent mistakes as `cat → dog 12 %`, by their share of the class."""
    shares = normalise_rows(counts)
    np.fill_diagonal(shares, 0)
    order = np.argsort(-np.nan_to_num(shares), axis=None, kind="stable")[:LISTED]
    pairs = (np.unravel_index(i, shares.shape) for i in order)
    return [
        f"{_shorten(names[a])} → {_shorten(names[b])} {shares[a, b]:.0f} %"
        for a, b in pairs
        if shares[a, b] > 0
    ]


def normalise_rows(counts: Int[np.ndarray, "k k"]) -> np.ndarray:
    """Each row in percent of its sum; NaN for a class without images."""
    sums = counts.sum(1, keepdims=True)
    return np.where(sums > 0, 100 * counts / np.maximum(sums, 1), np.nan)


def draw_confusion(
    names: Sequence[str], counts: Int[np.ndarray, "k k"], title: str, path: str | Path
) -> None:
    """Draw a matrix, true classes as rows, which are normalised; empty rows are grey."""
    k, shares = len(names), normalise_rows(counts)
    side = max(2.6, min(0.55, max(0.14, 5.5 / k)) * min(k, NAMED))
    mistakes = list_mistakes(names, counts)
    mistakes = "\n".join(["Most frequent mistakes" if mistakes else "No mistakes", *mistakes])
    figure, axes = plt.subplots(figsize=(side + 3.6, side + 2.2), layout="constrained")
    axes.set_facecolor("#dddddd")
    image = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, 0, 100), interpolation="nearest")
    if k <= NAMED:
        size = max(5.5, min(10, 400 / k**1.2))
        labels = [_shorten(name) for name in names]
        sizes = [f"{label} ({n:,})" for label, n in zip(labels, counts.sum(1), strict=True)]
        axes.set_xticks(range(k), labels, rotation=90, fontsize=size, parse_math=False)
        axes.set_yticks(range(k), sizes, fontsize=size, parse_math=False)
    for (row, column), share in np.ndenumerate(shares) if k <= WRITTEN else ():
        if share > 0:
            colour = "white" if share > 40 else "black"
            axes.text(column, row, f"{share:.0f}", ha="center", va="center", color=colour)
    axes.set(xlabel="predicted", ylabel="true (images, all seeds)")
    axes.set_title(f"{title}\n% of the true class", fontsize=10, parse_math=False)
    figure.colorbar(image, ax=axes, shrink=0.6, ticks=[0, 5, 20, 50, 100])
    figure.supxlabel(mistakes, fontsize=8, x=0.02, ha="left", parse_math=False)
    with atomic(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110, bbox_inches="tight")
    plt.close(figure)


def _shorten(name: str) -> str:
    name = " ".join(name.split())
    return name if len(name) <= LETTERS else name[: LETTERS - 1] + "…"
