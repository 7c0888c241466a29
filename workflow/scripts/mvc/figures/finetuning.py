"""Report of fine-tuning: the loss curve and a grid of samples."""

import textwrap
import traceback
from collections.abc import Callable
from pathlib import Path

import matplotlib
import pandas as pd
import pyarrow as pa
from PIL import Image, ImageDraw

from mvc.core.atomic import atomic
from mvc.core.image_tables import get_bytes, get_fit
from mvc.figures import grid
from mvc.figures.sampled import CELL, sample_pictures
from mvc.synthetic.plan import make_plan
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
    titles = ["fine-tuned"] + [""] * (per_class - 1)
    rows = grid.arrange(columns, per_class)
    headings = [names[label] for label in shown]
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
    """Draw the loss of every step, and its moving average.

    Args:
        losses: CSV with the columns `step` and `loss`.
        path: PNG to write.
    """
    frame = pd.read_csv(losses)
    smooth = frame["loss"].rolling(max(len(frame) // 40, 1), min_periods=1).mean()
    top = 1.6 * float(smooth.iloc[len(smooth) // 20 :].max())
    figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
    axes.plot(frame["step"], frame["loss"], color="#9ecae1", linewidth=0.5, label="each step")
    axes.plot(frame["step"], smooth, color="#08519c", label="moving average")
    axes.set(xlabel="step", ylabel="loss (Eq. 4)", ylim=(0, top))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    with atomic(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
    plt.close(figure)
