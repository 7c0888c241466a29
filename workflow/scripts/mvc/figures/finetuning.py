"""What fine-tuning did: the loss curve and a grid of samples."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
from PIL import Image
from torch import Tensor

from mvc.core.atomic import atomic
from mvc.core.image_tables import get_bytes, read_class_names
from mvc.figures import grid
from mvc.figures.sampled import CELL, paint
from mvc.models.stable_diffusion import load_solver
from mvc.synthetic.plan import make
from mvc.synthetic.sampler import Painter, Sampling


def sample_sheet(
    painter: Painter, train: pa.Table, bank: pa.Table, *, each: int, side: int, seed: int
) -> Image.Image:
    """For each class a real image that conditions, and `each` images from the bank's first rows."""
    names = read_class_names(train)
    rows = grid.first_of_each(bank["label"].to_pylist(), list(names), each)
    picked = bank.take([row for own in rows for row in own])
    plan = make("finetuned", picked, train["label"].to_pylist(), shard=0, shards=1, seed=seed)
    contents = get_bytes(train)
    sources = [contents[row] for row in plan.sources]
    images = iter(paint(painter, plan.recipes, plan.seeds, sources, side=side))
    made = [[next(images) for _ in own] for own in rows]
    sheet = grid.group(made, each)
    titles = ["fine-tuned"] + [""] * (each - 1)
    return grid.grid(sheet, titles, list(names.values()), grid.scale_to(side, CELL))


def write_losses(losses: Tensor, *, csv: str | Path, png: str | Path) -> None:
    """The loss of every update as CSV, and its smoothed curve as a picture."""
    import matplotlib.pyplot as plt

    frame = pd.DataFrame({"step": range(1, len(losses) + 1), "loss": losses.tolist()})
    with atomic(csv) as temporary:
        frame.to_csv(temporary, index=False, float_format="%.6g")
    figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
    axes.plot(frame["step"], frame["loss"], color="#9ecae1", linewidth=0.5, label="each update")
    smooth = frame["loss"].rolling(max(len(frame) // 40, 1), min_periods=1).mean()
    axes.plot(frame["step"], smooth, color="#08519c", label="moving average")
    top = 1.6 * float(smooth.iloc[len(smooth) // 20 :].max())
    axes.set(xlabel="update", ylabel="loss (Eq. 4)", ylim=(0, top))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    with atomic(png) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
    plt.close(figure)


def write_samples(
    unet, vae, embeddings: Mapping[str, Tensor], train, bank, cfg: Mapping, *, png: str | Path
) -> None:
    """A sheet of images by the fine-tuned U-Net, to look at."""
    wanted = cfg["samples"]
    painter = Painter(
        unet=unet,
        vae=vae,
        solver=load_solver(cfg["diffusion"]),
        tokens=embeddings["tokens"],
        null=embeddings["null"],
        sampling=Sampling(wanted["steps"], "text", wanted["scale"], 1.0, batch_size=32),
    )
    sheet = sample_sheet(
        painter, train, bank, each=wanted["each"], side=cfg["resolution"], seed=cfg["seed"]
    )
    with atomic(png) as temporary:
        sheet.save(temporary, format="PNG")
