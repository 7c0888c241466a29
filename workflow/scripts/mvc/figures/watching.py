"""Watching a fine-tuning while it runs: image grids of samples, and curves in a tracker.

Nothing here may change a weight, and what fails here ends no training. It is in no digest of code:
an edit of how something looks must not make the weights stale (`mvc/config/code.py`).
"""

import os
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

KEY = 8  # characters of a checkpoint's key that name the folder of a training


def name_folder(log: str | Path, checkpoint: Path) -> str:
    """Name the folder of a training's pictures and curves, beside its log.

    The same settings, code and inputs have the same folder, as they have the same checkpoint: the
    curves of a training that is resumed go on, and those of two trainings can be compared.
    """
    key = checkpoint.stem.rsplit("-", 1)[1][:KEY]
    return str(Path(log).with_suffix("") / key)


@contextmanager
def start_watching(
    watch,
    trainer,
    vae: torch.nn.Module,
    cfg: Mapping,
    *,
    train: pa.Table,
    embeddings: Mapping[str, Tensor],
    show: Callable[[int, float], None],
) -> Iterator[Callable[[int, float], None]]:
    """Watch a training within a `with` block, from the step at which it is.

    Args:
        watch: see `unet.watch.Watch`.
        trainer: of the U-Net; it may have loaded a checkpoint.
        cfg: what the stage reads of the configuration.
        train, embeddings: the training images, and the embeddings of their captions.
        show: called after each step, too.

    Yields:
        A function to call with step and loss after each step.
    """
    folder = Path(watch.folder)
    every = watch.sample_every if trainer.accelerator.is_main_process else None
    tracker = Tracker(trainer, watch.tracker, folder, cfg)

    def sample(step: int) -> None:
        picture = draw_samples(trainer, vae, cfg, watch.samples, train, embeddings)
        save_picture(picture, name_picture(folder, step))
        tracker.log_picture(step, picture)

    def try_to_sample(step: int) -> None:
        if every is not None and step % every == 0:
            try_to_watch(lambda: sample(step), f"step {step:,}: no samples to look at")

    def look(step: int, loss: float) -> None:
        show(step, loss)
        tracker.log(step, loss)
        try_to_sample(step)

    if not name_picture(folder, trainer.step).exists():
        try_to_sample(trainer.step)
    try:
        yield look
    finally:
        tracker.close()


class Tracker:
    """A tracker of accelerate's, or none. One that fails is no longer used."""

    def __init__(self, trainer, name: str | None, folder: Path, cfg: Mapping):
        self.trainer = trainer
        self.accelerator = trainer.accelerator
        self.works = name is not None
        self.attempt(self.start, folder, cfg)

    def start(self, folder: Path, cfg: Mapping) -> None:
        """Start the tracker, in a project that all trainings share."""
        folder.mkdir(parents=True, exist_ok=True)
        options = list_options(folder, self.trainer.step, cfg)
        self.accelerator.init_trackers("mvc", init_kwargs=options)

    def attempt(self, act: Callable, *arguments, **named) -> None:
        """Use the tracker, if there is one that works."""
        if self.works:
            use = partial(act, *arguments, **named)
            self.works = try_to_watch(use, "the tracker is used no longer (unet.tracker)")

    def log(self, step: int, loss: float) -> None:
        """Log the numbers of a step."""
        if self.works:
            self.attempt(self.accelerator.log, self.list_numbers(step, loss), step=step)

    def list_numbers(self, step: int, loss: float) -> dict[str, float]:
        """List the numbers of a step; the learning rate is that of the next one."""
        numbers = {
            "loss": loss,
            "learning_rate": self.trainer.optimizer.param_groups[0]["lr"],
            "grad_norm": float(self.trainer.grad_norm),
        }
        validation = self.trainer.validation
        value = torch.tensor(torch.nan) if validation is None else validation.losses[step - 1]
        return numbers | ({} if value.isnan() else {"validation_loss": float(value)})

    def log_picture(self, step: int, picture) -> None:
        """Log an image grid."""
        pixels = np.asarray(picture)[None]
        for tracker in self.accelerator.trackers if self.works else ():
            layout = {"dataformats": "NHWC"} if tracker.name == "tensorboard" else {}
            self.attempt(tracker.log_images, {"samples": pixels}, step=step, **layout)

    def close(self) -> None:
        """Close the tracker; accelerate has none afterwards, so that its failure ends nothing."""
        trackers, self.accelerator.trackers = self.accelerator.trackers, []
        for tracker in trackers:
            self.attempt(tracker.finish)


def list_options(folder: Path, step: int, cfg: Mapping) -> dict[str, dict]:
    """List how each tracker is started, at a step of a training that may be resumed.

    Weights & Biases writes to the folder and needs no login, unless WANDB_MODE says otherwise.
    """
    wandb = {
        "id": folder.name,
        "name": "/".join(folder.parts[-3:]),
        "dir": str(folder),
        "mode": os.environ.get("WANDB_MODE", "offline"),
        "config": dict(cfg),
        "settings": {"console": "off"},  # the log has what is printed
    }
    return {"tensorboard": {"purge_step": step + 1}, "wandb": wandb}


def try_to_watch(act: Callable[[], None], what: str) -> bool:
    """Do what must not end a training; where it fails, the log says so.

    Returns:
        Whether it succeeded.
    """
    try:
        act()
    except Exception as error:
        traceback.print_exc()
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        print(f"warning: {what}: {reason}")
        return False
    return True


def draw_samples(
    trainer,
    vae: torch.nn.Module,
    cfg: Mapping,
    samples: Mapping,
    train: pa.Table,
    embeddings: Mapping[str, Tensor],
):
    """Draw samples by a trainer's averaged weights, whose state is the same afterwards.

    Args:
        vae: lies on the CPU meanwhile.
        samples: `figures.samples` of the configuration.
    """
    from mvc.core.device import move_model  # with the next ones, a second of imports
    from mvc.figures.finetuning import sample_captions
    from mvc.models.stable_diffusion import load_solver
    from mvc.synthetic.sampler import Sampler, Sampling

    device = trainer.accelerator.device
    devices = [device] if device.type == "cuda" else []
    sampling = Sampling(samples["steps"], "text", samples["scale"], 1.0, batch_size=32)
    try:
        with torch.random.fork_rng(devices), trainer.use_average() as unet:
            sampler = Sampler(
                unet=unet,
                vae=move_model(vae, device),
                solver=load_solver(cfg["diffusion"]),
                tokens=embeddings["tokens"],
                null=embeddings["null"],
                sampling=sampling,
            )
            return sample_captions(
                sampler,
                train,
                classes=samples["classes"],
                per_class=samples["per_class"],
                side=cfg["resolution"],
                seed=cfg["seed"],
                title=f"step {trainer.step:06}",  # of one width, so that no picture shifts
            )
    finally:
        vae.cpu()
        torch.cuda.empty_cache()


def name_picture(folder: Path, step: int) -> Path:
    """Name the image grid of a step."""
    return folder / "samples" / f"step-{step:06}.png"


def save_picture(picture, path: Path) -> None:
    """Save an image grid as PNG."""
    from mvc.core.atomic import atomic

    with atomic(path) as temporary:
        picture.save(temporary, format="PNG")
