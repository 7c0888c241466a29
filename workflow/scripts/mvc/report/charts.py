"""Numbers as places and shades of pictures that the pages draw themselves: SVG, HTML, a PNG."""

import base64
import io
import math
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int
from PIL import Image

from mvc.report.verdicts import Finding

STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)  # points between ticks
MOST_TICKS = 7
POINTS = 400  # of a loss curve
SMOOTHED = 25  # parts of the training over each of which the loss is averaged
CELLS = 20  # classes up to which a confusion matrix is a table of numbers
BLUE = (37, 99, 235)


def arrange_intervals(findings: Sequence[Finding]) -> dict:
    """Places of gains and their intervals along one axis, in percent of its width."""
    shown = [f for f in findings if not math.isnan(f.gain.gain)]
    ends = [v for f in shown for v in (*f.gain[1:4], *f.total[2:4], 0.0) if not math.isnan(v)]
    low, high = min(ends, default=0.0), max(ends, default=0.0)
    margin = 0.06 * (high - low) or 1.0
    low, high = low - margin, high + margin

    def place(value: float) -> float | None:
        return None if math.isnan(value) else round(100 * (value - low) / (high - low), 2)

    step = next((float(s) for s in STEPS if (high - low) / s <= MOST_TICKS), 100.0)
    ticks = [step * i for i in range(math.ceil(low / step), math.floor(high / step) + 1)]
    return {
        "zero": place(0.0),
        "ticks": [(place(t), f"{t:+g}".replace("-", "\N{MINUS SIGN}")) for t in ticks if t],
        "rows": [_place_row(finding, place) for finding in shown],
    }


def _place_row(finding: Finding, place) -> dict:
    gain, total = finding.gain, finding.total
    return {
        "finding": finding,
        "gain": place(gain.gain),
        "seeds": [place(gain.low), place(gain.high)],
        "images": [place(total.low), place(total.high)],
    }


def trace_losses(steps: Int[np.ndarray, " n"], losses: Float[np.ndarray, " n"]) -> dict:
    """A loss curve in a box of 1000 x 300: its points, their running mean, and its ends."""
    finite = np.isfinite(losses)
    steps, losses = steps[finite], losses[finite]
    if len(losses) < 2:
        return {}
    low, high = float(losses.min()), float(np.quantile(losses, 0.995))
    kept = np.unique(np.linspace(0, len(losses) - 1, min(POINTS, len(losses))).astype(int))
    width = max(len(losses) // SMOOTHED, 1)
    means = np.convolve(losses, np.ones(width) / width, "valid")
    middles = steps[width // 2 :][: len(means)]
    thinned = np.unique(np.linspace(0, len(means) - 1, min(POINTS, len(means))).astype(int))

    def join(x: np.ndarray, y: np.ndarray) -> str:
        across = 1000 * (x - steps[0]) / max(int(steps[-1] - steps[0]), 1)
        down = 300 * (1 - np.clip((y - low) / max(high - low, 1e-12), 0, 1))
        return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(across, down, strict=True))

    return {
        "points": join(steps[kept], losses[kept]),
        "mean": join(middles[thinned], means[thinned]),
        "low": f"{low:.3g}",
        "high": f"{high:.3g}",
        "steps": f"{int(steps[-1]):,}",
        "last": f"{means[-1]:.3g}",
    }


def format_confusion(names: Sequence[str], counts: Int[np.ndarray, "k k"]) -> dict:
    """A confusion matrix: as rows of cells if classes are few, else as a picture of shades."""
    sums = counts.sum(1, keepdims=True)
    shares = 100 * counts / np.maximum(sums, 1)
    if len(names) > CELLS:
        return {"picture": _paint_shares(shares), "classes": len(names)}
    rows = [
        {
            "name": name,
            "images": int(total),
            "cells": [{"share": round(s), "shade": round(math.sqrt(s / 100), 3)} for s in row],
        }
        for name, total, row in zip(names, sums[:, 0], shares, strict=True)
    ]
    return {"names": list(names), "rows": rows}


def _paint_shares(shares: np.ndarray) -> str:
    """Shares in percent as a PNG in a data URI, a pixel or more per cell; opaque where not 0."""
    scale = max(1, 600 // len(shares))
    pixels = np.zeros((*shares.shape, 4), np.uint8)
    pixels[..., :3] = BLUE
    pixels[..., 3] = np.where(shares > 0, 30 + 225 * np.sqrt(shares / 100), 0)
    pixels = pixels.repeat(scale, 0).repeat(scale, 1)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def compare_recalls(
    without: Sequence[Mapping[str, float]], with_: Sequence[Mapping[str, float]]
) -> list[dict]:
    """Mean recall of each class in percent over the runs of two arms, largest gains first."""
    rows = []
    for name in with_[0] if with_ else ():
        old, new = (float(np.mean([run[name] for run in runs])) for runs in (without, with_))
        if not math.isnan(old + new):
            rows.append({"name": name, "old": old, "new": new, "gain": new - old})
    return sorted(rows, key=lambda row: -row["gain"])
