"""A classifier in timm's layout of a folder: `model.safetensors` and `config.json`.

`config.json` has what timm reads (architecture, classes, mean, deviation, size, interpolation) and
a section `mvc`: how oblong images become squares, and which run the weights are of.
Axes: n images, 3 channels, h and w pixels, k classes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import timm
import torch
from jaxtyping import Float32, UInt8
from timm.models import save_for_hf
from torch import Tensor, nn

from mvc.classifiers import registered
from mvc.classifiers.kept import Description
from mvc.core.atomic import apply_umask
from mvc.core.device import autocast
from mvc.core.pixels import load
from mvc.training.augment import normalise
from mvc.training.loop import PIXELS
from mvc.training.networks import FILE, PRETRAINED, describe_size
from mvc.training.wide_resnet import NAME

CROPS = {"crop": "center", "pad": "border", "squash": "squash"}  # what timm calls `images.fit`
# What timm's config says of its published weights: untrue of weights that did not start from them.
PUBLISHED = ("tag", "license", "origin_url", "paper_ids", "paper_name", "notes", "description")
AT_ONCE = 256  # images, as `training.loop.predict` takes them


@dataclass(frozen=True)
class Classifier:
    """A network that was opened from its folder; `mean` and `std` are 0..255, `size` is (h, w)."""

    net: nn.Module
    classes: list[str]
    mean: Float32[Tensor, " 3"]
    std: Float32[Tensor, " 3"]
    size: tuple[int, int]
    fit: str
    grayscale: bool

    @property
    def batch_size(self) -> int:
        """Images at once: as many as when its accuracy was measured."""
        return max(1, min(AT_ONCE, PIXELS // (self.size[0] * self.size[1])))

    def read(self, data: bytes) -> UInt8[Tensor, "3 h w"]:
        """Decode an image file and make it what the network is trained on.

        Raises:
            ValueError: it cannot be decoded; or the network takes images that are not square, and
                it is not of their size.
        """
        height, width = self.size
        image = load([data], size=height if height == width else None, fit=self.fit)[0]
        if tuple(image.shape[1:]) != self.size:
            raise ValueError(
                f"{image.shape[2]} x {image.shape[1]} pixels; must be {width} x {height}"
            )
        return image

    @torch.inference_mode()
    def predict(self, images: UInt8[Tensor, "n 3 h w"]) -> tuple[np.ndarray, np.ndarray]:
        """Predict the class of each image, and the probability of every class, (n,) and (n, k).

        The classes are those of `training.loop.predict` if the batch is the same.
        """
        device = self.mean.device
        with autocast(device):
            scores = self.net(normalise(images.to(device), mean=self.mean, std=self.std))
        return scores.argmax(1).cpu().numpy(), scores.float().softmax(1).cpu().numpy()


def write_folder(
    state: Mapping[str, Tensor],
    described: Description,
    folder: str | Path,
    *,
    fit: str,
    record: Mapping,
) -> None:
    """Write weights in timm's layout.

    Args:
        fit: of the data set, see `image_tables.get_fit`.
        record: of the run.
    """
    size, classes = tuple(described.size), len(described.classes)
    net, arguments = build_network(described.network, classes, size)
    net.load_state_dict(state)
    if described.weights != PRETRAINED:
        net.pretrained_cfg = {k: v for k, v in net.pretrained_cfg.items() if k not in PUBLISHED}
    save_for_hf(
        net,
        str(folder),
        model_config={
            "label_names": described.classes,
            "mvc": {"fit": fit, "grayscale": described.grayscale} | pick_facts(record),
        },
        model_args=arguments,
        safe_serialization=True,
        data_config={
            "input_size": (3, *size),
            "mean": tuple(value / 255 for value in described.mean),
            "std": tuple(value / 255 for value in described.std),
            "interpolation": "bicubic",
            "crop_pct": 1.0,
            "crop_mode": CROPS[fit],
        },
    )
    apply_umask(Path(folder) / FILE)  # safetensors writes for the user alone


def pick_facts(record: Mapping) -> dict:
    """Pick what a folder says of its run: which one it is, and its accuracy."""
    keys = "dataset model arm seed split accuracy validation_accuracy settings".split()
    return {key: record[key] for key in keys if key in record}


def build_network(name: str, classes: int, size: tuple[int, int]) -> tuple[nn.Module, dict]:
    """Build the network called `name` as timm does, and name the arguments that only it takes."""
    if match := NAME.fullmatch(name):
        own = {"depth": int(match[1]), "width": int(match[2])}
        return timm.create_model(registered.ARCHITECTURE, num_classes=classes, **own), own
    return timm.create_model(name, num_classes=classes, **describe_size(name, size)), {}


def load_classifier(folder: str | Path, *, device: torch.device) -> Classifier:
    """Open a folder that `write_folder` has written.

    Raises:
        FileNotFoundError: it is not there; says what makes it.
        ValueError: it is another folder.
    """
    file = Path(folder) / "config.json"
    if not file.is_file():
        raise FileNotFoundError(
            f"no classifier in {folder}: it has no config.json; must be a folder that `snakemake "
            "--cores all results/<data set>/classifier` has made"
        )
    config = json.loads(file.read_text(encoding="utf-8"))
    if "mvc" not in config:
        raise ValueError(
            f"{file} has no section mvc: another program wrote it, and how it makes images square "
            "is not known; must be a folder results/<data set>/classifier"
        )
    net = timm.create_model(f"local-dir:{folder}", pretrained=True)
    cfg = config["pretrained_cfg"]
    mean, std = (torch.tensor(cfg[key], dtype=torch.float64) * 255 for key in ("mean", "std"))
    return Classifier(
        net=net.to(device, memory_format=torch.channels_last).eval(),
        classes=config["label_names"],
        mean=mean.float().to(device),
        std=std.float().to(device),
        size=tuple(cfg["input_size"][1:]),
        fit=config["mvc"]["fit"],
        grayscale=config["mvc"]["grayscale"],
    )
