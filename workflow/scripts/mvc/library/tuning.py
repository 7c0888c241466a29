"""Fine-tuning of a U-Net on images in memory."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pyarrow as pa
from safetensors.torch import save_file
from torch import Tensor

from mvc.banks.recipes import tabulate_recipes
from mvc.core import image_tables
from mvc.core.checkpoint import name_checkpoint
from mvc.core.square import FITS
from mvc.figures.watching import start_watching
from mvc.library.arguments import (
    Picture,
    assign_labels,
    check_choice,
    check_embeddings,
    check_lengths,
    list_recipes,
    read_images,
)
from mvc.unet.adapt import KINDS
from mvc.unet.finetune import tune as tune_files
from mvc.unet.memory import Memory
from mvc.unet.watch import Watch

# Keys of the section `unet`, as config/config.yaml has them.
SETTINGS = {
    "train": "norms",
    "rank": 8,
    "resolution": 32,
    "steps": 1500,
    "steps_per_image": 8,
    "batch_size": 32,
    "optimizer": "adamw",
    "learning_rate": 4.0e-3,
    "schedule": "cosine",
    "warmup_steps": 0,
    "weight_decay": 0.01,
    "max_grad_norm": 1.0,
    "ema_decay": 0.999,
    "pairing": "class",
    "text": "caption",
    "dropout": {"text": 0.05, "image": 0.05, "both": 0.05},
    "flip": True,
}
MEMORY = {"micro_batch": "auto", "checkpointing": False, "ema_device": "auto"}
CHOICES = {
    "train": KINDS,
    "schedule": ("constant_with_warmup", "cosine"),
    "pairing": ("class", "own"),
    "text": ("bank", "caption"),
}
OUTPUTS = {
    "config": "config.json",
    "weights": "diffusion_pytorch_model.safetensors",
    "losses": "loss.csv",
}


def tune(
    images: Iterable[Picture],
    class_names: Iterable[str],
    embeddings: Mapping[str, Tensor],
    folder: str | Path,
    *,
    diffusion: str,
    bank: pd.DataFrame | None = None,
    fit: str = "crop",
    seed: int = 0,
    **settings,
) -> Path:
    """Fine-tune the U-Net of a Stable Diffusion on pairs of images of a class (Section 3.3).

    A training that was stopped resumes from its checkpoint when it is called again alike.

    Args:
        images, class_names: the training images and their classes.
        embeddings: what `embed` returns, one for each image.
        folder: where the U-Net is written in diffusers' layout, and its `loss.csv`.
        diffusion: folder or hub name of the Stable Diffusion.
        bank: what `mix` returns, for `text="bank"`.
        fit: how oblong images become squares: crop, pad or squash.
        seed: of all random choices.
        settings: keys of the section `unet` of the configuration, those of `SETTINGS` and `MEMORY`.

    Returns:
        The folder.
    """
    check_choice("fit", fit, FITS)
    settings = settle_settings(settings)
    if (settings["text"] == "bank") != (bank is not None):
        kind = type(bank).__name__
        raise ValueError(
            f"text = {settings['text']!r}, bank of type {kind}; 'bank' alone takes one"
        )
    files, class_names = read_images(images), list(class_names)
    check_embeddings(embeddings)
    check_lengths(images=files, class_names=class_names, embeddings=embeddings["tokens"])
    memory = Memory(**{key: settings.pop(key) for key in MEMORY})
    cfg = {**settings, "diffusion": diffusion, "seed": seed, "early_stop": None}
    outputs = {name: str(Path(folder) / file) for name, file in OUTPUTS.items()}
    with TemporaryDirectory() as place:
        inputs = write_inputs(place, files, class_names, embeddings, bank, fit=fit)
        checkpoint = name_checkpoint(outputs["weights"], {"cfg": cfg}, inputs.values())
        unwatched = Watch({"every": None}, None, None, {}, place, start_watching)
        tune_files(cfg, memory, unwatched, inputs, outputs, str(checkpoint))
    return Path(folder)


def settle_settings(settings: Mapping) -> dict:
    """Lay settings over the defaults.

    Raises:
        TypeError: a name that is no setting.
        ValueError: a value that is not allowed.
    """
    known = SETTINGS | MEMORY
    if unknown := sorted(settings.keys() - known):
        raise TypeError(f"tune has no setting {unknown[0]!r}; its settings are {', '.join(known)}")
    settled = {**known, **settings}
    for key, allowed in CHOICES.items():
        check_choice(key, settled[key], allowed)
    return settled


def write_inputs(
    folder: str,
    files: Sequence[bytes],
    class_names: Sequence[str],
    embeddings: Mapping[str, Tensor],
    bank: pd.DataFrame | None,
    *,
    fit: str,
) -> dict[str, str]:
    """Write what the stage reads: files by name. There are no held-out images."""
    inputs = {
        name: str(Path(folder, f"{name}.parquet"))
        for name in ("images", "validation", "held_out", "bank")
    }
    inputs["embeddings"] = str(Path(folder, "embeddings.safetensors"))
    ids = [f"{place:07d}" for place in range(len(files))]
    labels = assign_labels(class_names)
    train = image_tables.build_table(
        data=files, labels=labels, class_names=class_names, image_ids=ids
    )
    none = train.slice(0, 0)
    held_out = none.append_column("split", pa.array([], pa.string()))
    rows = [] if bank is None else list_recipes(bank)
    image_tables.write(
        train.cast(image_tables.mark_images(train.schema, fit=fit)), inputs["images"]
    )
    image_tables.write(none, inputs["validation"])
    image_tables.write(held_out, inputs["held_out"])
    image_tables.write(tabulate_recipes(rows, [row["change"] for row in rows]), inputs["bank"])
    save_file(
        {name: tensor.contiguous() for name, tensor in embeddings.items()}, inputs["embeddings"]
    )
    return inputs
