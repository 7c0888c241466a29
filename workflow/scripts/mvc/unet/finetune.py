"""Fine-tuning from files to files: inputs to a trainer, its weights and losses to disk."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from accelerate import Accelerator
from diffusers import DDPMScheduler
from safetensors.torch import load_file
from torch import Tensor

from mvc.banks.recipes import read_recipes
from mvc.console.progress import Meter
from mvc.core import image_tables
from mvc.core.atomic import atomic, write_csv
from mvc.core.checkpoint import remove_checkpoints
from mvc.core.counts import count_steps
from mvc.core.device import pick_device, pick_precision
from mvc.core.leakage import check_held_out
from mvc.models.stable_diffusion import (
    cache_latents,
    check_pair,
    load_betas,
    load_unet,
    load_vae,
    widen,
)
from mvc.unet.memory import Memory
from mvc.unet.pairs import Pool
from mvc.unet.trainer import Trainer
from mvc.unet.validation import Validation, draw_pairs
from mvc.unet.watch import Watch


def tune(
    cfg: Mapping,
    memory: Memory,
    watch: Watch,
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
    checkpoint: str,
) -> tuple[int, str, str]:
    """Fine-tune in this process, or in one of several that share each batch; the main one writes.

    Args:
        cfg: the config's section `unet`, the model `diffusion` and the seed.
        memory: how it is fitted into the GPU's memory.
        watch: what is measured and drawn meanwhile.
        inputs: files `images`, `validation`, `held_out`, `embeddings`, `bank`; the bank is read
            with `unet.text: bank` only, the validation images with `unet.validation`.
        outputs: files `config`, `weights`, `losses`.
        checkpoint: file that a stopped run resumes from.

    Returns:
        The number of steps, their unit, and the final loss, for the last line of the log.
    """
    accelerator = Accelerator(
        mixed_precision=choose_precision(),
        cpu=not torch.cuda.is_available(),
        log_with=watch.tracker,
        project_dir=watch.folder,
    )
    train = image_tables.read(inputs["images"])
    cfg = settle_steps(cfg, len(train))
    bank = image_tables.read(inputs["bank"]) if cfg["text"] == "bank" else None
    check_held_out(train, image_tables.read(inputs["held_out"]))
    embeddings = load_file(inputs["embeddings"])
    vae = load_vae(cfg["diffusion"], device=accelerator.device)
    base = load_unet(cfg["diffusion"], text_width=embeddings["tokens"].shape[2])
    check_pair(cfg["diffusion"], base, vae)
    pool = make_pool(train, embeddings, bank, vae, cfg)
    validation = make_validation(inputs["validation"], pool, vae, cfg, watch.validation)
    vae.cpu()  # all images are encoded
    trainer = make_trainer(widen(base, vae.config.latent_channels), cfg, memory, accelerator)
    batches = describe_batches(cfg, vae, trainer.betas)
    trainer.validation = validation
    trainer.load_checkpoint(Path(checkpoint))
    first = trainer.step
    show = make_progress_log(cfg["steps"])
    scene = {"train": train, "embeddings": embeddings, "show": show}
    with watch.start(watch, trainer, vae, cfg, **scene) as look:
        losses = trainer.train(pool, Path(checkpoint), look, **batches)
    accelerator.end_training()  # closes the process group
    if accelerator.is_main_process:
        write_losses(losses, outputs["losses"], validation)
        write_unet(trainer.finish(), weights=outputs["weights"], config=outputs["config"])
        remove_checkpoints(outputs["weights"])
    return len(losses) - first, "steps", f"loss {losses[-100:].mean():.4f} at the end"


def settle_steps(cfg: Mapping, images: int) -> dict:
    """Settle the number of optimiser steps by the number of training images, and print it."""
    per_image = cfg["steps_per_image"]
    steps = count_steps(images, cfg["steps"], per_image)
    if per_image is not None:
        print(f"{steps:,} steps: {per_image} per image of {images:,}, at most {cfg['steps']:,}")
    return {**cfg, "steps": steps}


def choose_precision() -> str:
    """Choose the mixed precision of training, as accelerate names it."""
    names = {torch.float32: "no", torch.bfloat16: "bf16", torch.float16: "fp16"}
    return names[pick_precision(pick_device())]


def make_pool(
    train: pa.Table, embeddings: Mapping[str, Tensor], bank: pa.Table | None, vae, cfg: Mapping
) -> Pool:
    """Encode the training images once and collect all that batches are drawn from.

    Raises:
        ValueError: the number of embeddings is not that of the images.
    """
    if len(train) != len(embeddings["tokens"]):
        raise ValueError(
            f"{len(embeddings['tokens']):,} embeddings of {len(train):,} training images; must be "
            "one each"
        )
    shape = {"size": cfg["resolution"], "fit": image_tables.get_fit(train), "flip": cfg["flip"]}
    mean, std = cache_latents(vae, image_tables.get_bytes(train), **shape)
    print(f"{len(train):,} training images encoded to latents of {tuple(mean.shape[2:])}")
    return Pool(
        mean=mean,
        std=std,
        labels=torch.tensor(train["label"].to_pylist()),
        tokens=embeddings["tokens"],
        null=embeddings["null"],
        recipes=None if bank is None else read_recipes(bank),
        recipe_labels=None if bank is None else torch.tensor(bank["label"].to_pylist()),
    )


def make_validation(file: str, pool: Pool, vae, cfg: Mapping, wanted: Mapping) -> Validation | None:
    """Make the measurements of the validation loss; None without `unet.validation.every`.

    Args:
        file: of the validation images.
        wanted: `unet.validation`.

    Raises:
        ValueError: there is no validation image.
    """
    if wanted["every"] is None:
        return None
    table = image_tables.read(file)
    if not len(table):
        raise ValueError(
            f"unet.validation.every = {wanted['every']}: there is no validation image; raise "
            "images.validation_fraction, or set it to null"
        )
    pairs = draw_pairs(
        table,
        pool,
        vae,
        pairs=wanted["pairs"],
        pairing=cfg["pairing"],
        size=cfg["resolution"],
        timesteps=load_betas(cfg["diffusion"]).config.num_train_timesteps,
        seed=cfg["seed"],
    )
    patience = (cfg["early_stop"] or {}).get("patience")
    length = {"every": wanted["every"], "steps": cfg["steps"], "patience": patience}
    return Validation(pairs, at_once=cfg["batch_size"], **length)


def make_trainer(
    unet: torch.nn.Module, cfg: Mapping, memory: Memory, accelerator: Accelerator
) -> Trainer:
    """Make a trainer by the section `unet`, on the noise schedule of `models.diffusion`."""
    keys = (
        "train",
        "rank",
        "steps",
        "optimizer",
        "learning_rate",
        "schedule",
        "warmup_steps",
        "weight_decay",
        "max_grad_norm",
        "ema_decay",
    )
    torch.manual_seed(cfg["seed"])
    trainer = Trainer(
        unet,
        betas=load_betas(cfg["diffusion"]),
        accelerator=accelerator,
        memory=memory,
        **{key: cfg[key] for key in keys},
    )
    trained = sum(weight.numel() for weight in trainer.parameters)
    of = sum(weight.numel() for weight in unet.parameters())
    print(f"{trained:,} of {of:,} weights are trained (unet.train: {cfg['train']})")
    return trainer


def describe_batches(cfg: Mapping, vae, betas: DDPMScheduler) -> dict:
    """Describe how batches are drawn: the arguments of `pairs.draw_batch` that all steps share."""
    keys = ("batch_size", "pairing", "text", "dropout", "seed")
    return {
        **{key: cfg[key] for key in keys},
        "scaling_factor": vae.config.scaling_factor,
        "timesteps": betas.config.num_train_timesteps,
    }


def make_progress_log(steps: int) -> Callable[[int, float], None]:
    """Make a function that logs progress, rate, time left and the mean loss of 100 steps."""
    recent: list[float] = []
    meters: list[Meter] = []

    def show(step: int, loss: float) -> None:
        if not meters:
            meters.append(Meter(steps, "steps", start=step - 1))
        recent.append(loss)
        del recent[:-100]
        meters[0].show(step, f"loss {np.mean(recent):.4f}")

    return show


def write_losses(losses: Tensor, path: str | Path, validation: Validation | None = None) -> None:
    """Write the loss of every step as CSV, and the validation loss where it was measured."""
    frame = pd.DataFrame({"step": range(1, len(losses) + 1), "loss": losses.tolist()})
    if validation:
        frame["validation_loss"] = validation.losses[: len(losses)].tolist()
    write_csv(frame, path, float_format="%.6g")


def write_unet(unet: torch.nn.Module, *, weights: str | Path, config: str | Path) -> None:
    """Save the U-Net in diffusers' layout, the weights last: they show that the rest is there."""
    with atomic(weights) as part, atomic(config) as described:
        unet.save_pretrained(part.parent, safe_serialization=True)
        (part.parent / described.name).rename(described)
