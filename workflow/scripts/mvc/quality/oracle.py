"""The oracle: a classifier of real images that judges which class a synthetic image shows.

It sees neither the synthetic images nor, where the data set has an `oracle` split, any image of the
target pool, and its network is not a classifier of Table 1. Four convolutions, the
first and third of stride 2, then the maximum over positions: a third of WRN-10-1's time, and more
accurate in the same number of steps.
Axes: n images, 3 channels, h and w pixels, k classes.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from mvc.core.device import autocast, make_scaler
from mvc.core.finite import require_finite_weights

LAYERS = ((3, 32, 2), (32, 64, 1), (64, 64, 2), (64, 128, 1))  # inputs, outputs, stride


class Oracle(nn.Module):
    """A small convolutional network for images of any size of 8 pixels or more."""

    def __init__(self, n_classes: int):
        super().__init__()
        self.blocks = nn.Sequential(*(_build_block(*layer) for layer in LAYERS))
        self.head = nn.Linear(LAYERS[-1][1], n_classes)

    def forward(self, pixels: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n k"]:
        x = (pixels.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)
        return self.head(self.blocks(x).amax((2, 3)))


def check_classes(known: dict[int, str], training: dict[int, str]) -> None:
    """Refuse an oracle that does not know every class of the training images by its name.

    Raises:
        ValueError: naming the class.
    """
    for label, name in training.items():
        if known.get(label) != name:
            raise ValueError(
                f"class {label} is {name!r} in the training images, {known.get(label)!r} in "
                "the oracle split, which must have the same classes, or be empty"
            )


def train(
    pixels: UInt8[Tensor, "n 3 h w"],
    labels: Int[Tensor, " n"],
    *,
    n_classes: int,
    steps: int,
    batch_size: int,
    learning_rate: float,
    weight_decay: float,
    seed: int,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> Oracle:
    """Train an oracle: AdamW, one learning rate cycle, random flips.

    Args:
        steps: optimizer steps of `batch_size` images each, whatever the size of the set.
        learning_rate: the peak of the cycle.
        progress: wraps the loop over steps, to report progress.

    Raises:
        ValueError: there are no images, or a label is not in 0..k-1.
    """
    if not len(pixels):
        raise ValueError("no real images to train the oracle on")
    if not 0 <= int(labels.min()) <= int(labels.max()) < n_classes:
        raise ValueError(
            f"labels {int(labels.min())}..{int(labels.max())}; must be in 0..{n_classes - 1}"
        )
    oracle = _create(n_classes, pixels.device, seed)
    generator = torch.Generator().manual_seed(seed)
    scaler = make_scaler(pixels.device)
    optimizer = torch.optim.AdamW(oracle.parameters(), learning_rate, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, total_steps=steps + 1, pct_start=0.2
    )
    batches = _draw_batches(len(pixels), batch_size, generator)
    oracle.train()
    for _ in progress(range(steps)):
        batch = next(batches).to(pixels.device)
        images = _flip(pixels[batch], generator)
        with autocast(pixels.device):
            loss = F.cross_entropy(oracle(images), labels[batch])
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        schedule.step()
    require_finite_weights(oracle, "oracle, after its last step", "lower oracle.learning_rate")
    return oracle.eval()


@torch.inference_mode()
def predict(
    oracle: Oracle, pixels: UInt8[Tensor, "n 3 h w"], *, batch_size: int = 500
) -> Int[Tensor, " n"]:
    """Predict the class of each image."""
    oracle.eval()
    device = oracle.head.weight.device
    with autocast(device):
        classes = [oracle(batch.to(device)).argmax(1).cpu() for batch in pixels.split(batch_size)]
    return torch.cat(classes) if len(pixels) else torch.empty(0, dtype=torch.int64)


def measure_agreement(
    predicted: Int[Tensor, " n"], labels: Int[np.ndarray, " n"], class_names: dict[int, str]
) -> dict[str, float | dict[str, float]]:
    """Measure label agreement (GAN-test accuracy): % of images whose label the oracle predicts."""
    correct = predicted.numpy() == labels
    per_class = {
        name: 100 * float(correct[labels == label].mean())
        for label, name in class_names.items()
        if (labels == label).any()
    }
    return {"agreement": 100 * float(correct.mean()), "per_class": per_class}


def save(oracle: Oracle, path: str | Path, about: dict) -> None:
    """Save the weights, with a description as JSON in the file's metadata."""
    tensors = {name: tensor.cpu().contiguous() for name, tensor in oracle.state_dict().items()}
    save_file(tensors, path, {"about": json.dumps(about, ensure_ascii=False)})


def load(path: str | Path) -> tuple[Oracle, dict]:
    """Load an oracle that `save` wrote, and its description."""
    with safe_open(path, "pt") as file:
        about = json.loads(file.metadata()["about"])
        weights = {name: file.get_tensor(name) for name in file.keys()}
    oracle = Oracle(weights["head.bias"].numel())
    oracle.load_state_dict(weights)
    return oracle.eval(), about


def _create(n_classes: int, device: torch.device, seed: int) -> Oracle:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Oracle(n_classes).to(device, memory_format=torch.channels_last)


def _draw_batches(
    n: int, batch_size: int, generator: torch.Generator
) -> Iterator[Int[Tensor, " b"]]:
    """Draw rows of one batch after another, every image once before any is repeated."""
    order = torch.empty(0, dtype=torch.int64)
    while True:
        while len(order) < batch_size:
            order = torch.cat([order, torch.randperm(n, generator=generator)])
        yield order[:batch_size]
        order = order[batch_size:]


def _flip(pixels: UInt8[Tensor, "n 3 h w"], generator: torch.Generator) -> UInt8[Tensor, "n 3 h w"]:
    mirrored = torch.rand(len(pixels), 1, 1, 1, generator=generator) < 0.5
    return torch.where(mirrored.to(pixels.device), pixels.flip(3), pixels)


def _build_block(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))
