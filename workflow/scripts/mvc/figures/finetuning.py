"""Report of fine-tuning: the loss curve and a grid of samples."""

import textwrap
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib
import pandas as pd
import pyarrow as pa
from PIL import Image, ImageDraw

from mvc.banks.recipes import leave_unmixed
from mvc.core.atomic import atomic
from mvc.core.image_tables import get_bytes, get_fit, read_class_names
from mvc.figures import grid
from mvc.figures.sampled import CELL, sample_pictures
from mvc.synthetic.plan import derive_noise_seed, make_plan
from mvc.synthetic.sampler import Sampler

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402, once the backend is chosen


def sample_grid(
    sampler: Sampler,
    train: pa.Table,
    bank: pa.Table,
    *,
    classes: int,
    per_class: int,
    side: int,
    seed: int,
) -> Image.Image:
    """Sample `per_class` images of each class, from the bank's first entries of the class.

    Of more than `classes` classes so many are shown, evenly spread, and the log says so.
    """
    names = grid.name_mixed(train, bank)
    shown = grid.choose_spread(list(names), classes)
    if len(shown) < len(names):
        print(f"{len(shown)} of {len(names)} classes shown (figures.samples.classes)")
    entries = grid.choose_first(bank["label"].to_pylist(), shown, per_class)
    picked = bank.take([entry for members in entries for entry in members])
    plan = make_plan("finetuned", picked, train["label"].to_pylist(), shard=0, shards=1, seed=seed)
    contents = get_bytes(train)
    sources = [contents[row] for row in plan.sources]
    shape = {"side": side, "fit": get_fit(train)}
    images = iter(sample_pictures(sampler, plan.recipes, plan.seeds, sources, **shape))
    columns = [[next(images) for _ in members] for members in entries]
    headings = [names[label] for label in shown]
    return draw_columns(columns, headings, "fine-tuned", per_class=per_class, side=side)


def sample_captions(
    sampler: Sampler,
    train: pa.Table,
    *,
    classes: int,
    per_class: int,
    side: int,
    seed: int,
    title: str,
) -> Image.Image:
    """Sample images of each class by unmixed captions: of its first training images.

    Captions, conditioning images (each the next image of the class) and noise are always the same.
    Of more than `classes` classes so many are shown, evenly spread.
    """
    names = read_class_names(train)
    shown = grid.choose_spread(list(names), classes)
    members = grid.choose_first(train["label"].to_pylist(), shown, per_class)
    captions = [row for rows in members for row in rows]
    contents = get_bytes(train)
    sources = [contents[row] for rows in members for row in rows[1:] + rows[:1]]
    seeds = [derive_noise_seed(seed, "captions", i) for i in range(len(captions))]
    shape = {"side": side, "fit": get_fit(train)}
    images = iter(sample_pictures(sampler, leave_unmixed(captions), seeds, sources, **shape))
    columns = [[next(images) for _ in rows] for rows in members]
    headings = [names[label] for label in shown]
    return draw_columns(columns, headings, title, per_class=per_class, side=side)


def draw_columns(
    columns: Sequence[Sequence[Image.Image]],
    headings: Sequence[str],
    title: str,
    *,
    per_class: int,
    side: int,
) -> Image.Image:
    """Draw a column of images per class, under its name."""
    rows = grid.arrange(columns, per_class)
    titles = [title] + [""] * (per_class - 1)
    return grid.draw_blocks(rows, titles, headings, grid.choose_scale(side, CELL))


def try_to_draw(draw: Callable[[], Image.Image]) -> tuple[Image.Image, list[str]]:
    """Draw samples to look at, which no other stage needs: a failure must not end the run.

    Returns:
        What `draw` returns, or a picture that says why there is none; and that as a warning.
    """
    try:
        return draw(), []
    except Exception as error:
        traceback.print_exc()
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        text = f"the fine-tuned U-Net is written, but drew no samples to look at: {reason}"
        print(f"warning: {text}")
        picture = Image.new("RGB", (640, 160), "white")
        ImageDraw.Draw(picture).text((12, 12), textwrap.fill(text, 90), fill="black")
        return picture, [text]


def draw_losses(losses: str | Path, path: str | Path) -> None:
    """Draw the loss of every step, its moving average, and the validation loss if there is one.

    Args:
        losses: CSV with the columns `step`, `loss`, and `validation_loss` where it was measured.
        path: PNG to write.
    """
    frame = pd.read_csv(losses)
    smooth = frame["loss"].rolling(max(len(frame) // 40, 1), min_periods=1).mean()
    top = 1.6 * float(smooth.iloc[len(smooth) // 20 :].max())
    figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
    axes.plot(frame["step"], frame["loss"], color="#9ecae1", linewidth=0.5, label="each step")
    axes.plot(frame["step"], smooth, color="#08519c", label="moving average")
    if "validation_loss" in frame:
        measured = frame.dropna(subset="validation_loss")
        best = measured.loc[measured["validation_loss"].idxmin()]
        label = f"validation, lowest at step {best['step']:,.0f}"
        axes.plot(measured["step"], measured["validation_loss"], ".-", color="#d95f02", label=label)
        axes.axvline(best["step"], color="#d95f02", linewidth=0.8, linestyle=":")
        top = max(top, 1.1 * float(measured["validation_loss"].max()))
    axes.set(xlabel="step", ylabel="loss (Eq. 4)", ylim=(0, top))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    with atomic(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
    plt.close(figure)
