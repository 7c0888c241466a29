"""From a config section and the stages before to a trainer, and from its end to files."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib
import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from accelerate import Accelerator
from diffusers import DDPMScheduler
from torch import Tensor

from mvc.diffusion import cache_latents, load_solver
from mvc.generate import Painter, Sampling
from mvc.pairs import Pool
from mvc.provenance import files_digest, settings_digest
from mvc.recipes import from_table
from mvc.shards import atomic, image_bytes
from mvc.sheets import sample_sheet
from mvc.stage import Meter
from mvc.unet import Trainer

matplotlib.use("Agg")


def precision() -> str:
    """Mixed precision of training: bfloat16 on a GPU that has it, none on a CPU."""
    gpu = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return "bf16" if gpu else "no"


def make_pool(
    train: pa.Table, embeddings: Mapping[str, Tensor], bank: pa.Table, vae, cfg: Mapping
) -> Pool:
    """Encode the training images once and put together all that batches are drawn from.

    Raises:
        ValueError: the stages before disagree about the number of images.
    """
    if len(train) != len(embeddings["tokens"]):
        raise ValueError(f"embeddings {len(embeddings['tokens']):,} != images {len(train):,}")
    size, flip = cfg["resolution"], cfg["flip"]
    mean, std = cache_latents(vae, image_bytes(train), size=size, flip=flip)
    print(f"{len(train):,} training images encoded to latents of {tuple(mean.shape[2:])}")
    return Pool(
        mean=mean,
        std=std,
        labels=torch.tensor(train["label"].to_pylist()),
        tokens=embeddings["tokens"].float(),
        null=embeddings["null"].float(),
        recipes=from_table(bank),
        recipe_labels=torch.tensor(bank["label"].to_pylist()),
    )


def make_trainer(unet: torch.nn.Module, cfg: Mapping, accelerator: Accelerator) -> Trainer:
    """A trainer by the config's section `unet`, on the noise schedule of `models.diffusion`."""
    keys = ("steps", "learning_rate", "schedule", "warmup", "weight_decay", "clip_norm", "ema")
    torch.manual_seed(cfg["seed"])
    return Trainer(
        unet,
        betas=DDPMScheduler.from_pretrained(cfg["diffusion"], subfolder="scheduler"),
        accelerator=accelerator,
        **{key: cfg[key] for key in keys},
    )


def drawing(cfg: Mapping, vae, betas: DDPMScheduler) -> dict:
    """How batches are drawn, as `pairs.draw` takes it."""
    keys = ("batch_size", "pairing", "text", "dropout", "seed")
    return {
        **{key: cfg[key] for key in keys},
        "scaling_factor": vae.config.scaling_factor,
        "timesteps": betas.config.num_train_timesteps,
    }


def state_file(weights: str | Path, depends: Mapping, inputs: Iterable[str]) -> Path:
    """Where the resume state lies: named by all that the weights depend on.

    An edit of settings, code or inputs gives another name, so that no stale state is taken up.

    Args:
        weights: the file that training will write.
        depends: settings and digest of the code.
        inputs: files read.
    """
    files = files_digest(*sorted(set(map(str, inputs))))
    key = settings_digest({**depends, "inputs": files})
    return Path(weights).with_name(f".state-{key}.safetensors")


def forget_states(weights: str | Path) -> None:
    """Remove all resume states: training is done."""
    for state in Path(weights).parent.glob(".state-*.safetensors"):
        state.unlink()


def show(steps: int) -> Callable[[int, float], None]:
    """Progress, rate, time left and the mean loss of the last 100 updates, in the log."""
    recent: list[float] = []
    meters: list[Meter] = []

    def update(step: int, loss: float) -> None:
        if not meters:
            meters.append(Meter(steps, "steps", start=step - 1))
        recent.append(loss)
        del recent[:-100]
        meters[0].show(step, f"loss {np.mean(recent):.4f}")

    return update


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


def write_unet(unet: torch.nn.Module, *, weights: str | Path, config: str | Path) -> None:
    """Save the U-Net in diffusers' layout; the weights last, so that they vouch for the rest."""
    with TemporaryDirectory(dir=Path(weights).parent) as folder:
        unet.save_pretrained(folder, safe_serialization=True)
        for target in (Path(config), Path(weights)):
            part = Path(folder) / target.name
            part.chmod(0o644)
            part.rename(target)
