"""The training loop and the prediction of classes, for any network.

Gradients are clipped by their common norm; then SGD with Nesterov momentum or Adam, both with L2
weight decay (not AdamW's). The learning rate falls to zero along a cosine in each phase. All images
lie in memory as uint8, on a GPU if it has room for them. Each batch is augmented as a whole on the
network's device, in its precision (`core.device`).
Axes: n images, 3 channels, h and w pixels, b images of a batch.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32, Int64, UInt8
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim.lr_scheduler import LambdaLR

from mvc.console.progress import Meter
from mvc.core.device import autocast, make_scaler
from mvc.training.augment import normalise
from mvc.training.strategies import Phase

BLOCK = 2**18  # pixels augmented at once: 334 images of 28 x 28
PIXELS = 2**22  # pixels predicted at once: 83 images of 224 x 224
ROOM = 4  # images may take a quarter of a GPU's free memory
OPTIMIZERS = {
    "sgd": partial(torch.optim.SGD, momentum=0.9, nesterov=True),
    "adam": torch.optim.Adam,
}
Augment = Callable[[UInt8[Tensor, "b 3 h w"]], Float32[Tensor, "b 3 h w"]]


def train(
    net: nn.Module,
    images: UInt8[Tensor, "n 3 h w"],
    labels: Int64[Tensor, " n"],
    phases: Sequence[Phase],
    *,
    augment_batch: Augment,
    optimizer: str,
    weight_decay: int | float,
    max_grad_norm: int | float,
) -> int:
    """Train `net` in place through the phases; progress goes to standard output.

    Args:
        images, labels: on the device of `net` or another.
        optimizer: one of OPTIMIZERS; each phase starts with a new one.

    Returns:
        The number of steps.
    """
    net.train()
    device = next(net.parameters()).device
    scaler = make_scaler(device)
    meter = Meter(sum(phase.steps for phase in phases), "steps")
    steps = 0
    for phase in phases:
        stepper = build_optimizer(optimizer, net, phase.learning_rate, weight_decay=weight_decay)
        schedule = LambdaLR(stepper, partial(decay_by_cosine, steps=phase.steps))
        batches = augment_batches(phase.batches, images, labels, augment_batch, device=device)
        for inputs, targets in batches:
            loss = compute_loss(net, inputs, targets)
            scaler.scale(loss).backward()
            scaler.unscale_(stepper)
            clip_grad_norm_(net.parameters(), max_grad_norm)
            scaler.step(stepper)
            scaler.update()
            stepper.zero_grad()
            steps += 1
            if meter.is_due(steps):
                check_loss(loss.item(), steps)
                meter.show(steps, describe_progress(loss.item(), stepper))
            schedule.step()
    return steps


def compute_loss(
    net: nn.Module, inputs: Float32[Tensor, "b 3 h w"], targets: Int64[Tensor, " b"]
) -> Float[Tensor, ""]:
    """Mean cross-entropy of a batch."""
    with autocast(inputs.device):
        return F.cross_entropy(net(inputs), targets)


def build_optimizer(
    name: str, net: nn.Module, learning_rate: int | float, *, weight_decay: int | float
) -> torch.optim.Optimizer:
    """Build the optimizer called `name` for a network's parameters.

    Raises:
        ValueError: the name is none of OPTIMIZERS.
    """
    if name not in OPTIMIZERS:
        allowed = ", ".join(OPTIMIZERS)
        raise ValueError(f"classifiers.optimizer = {name}; must be one of {allowed}")
    return OPTIMIZERS[name](net.parameters(), lr=learning_rate, weight_decay=weight_decay)


def decay_by_cosine(step: int, *, steps: int) -> float:
    """Factor of the learning rate at `step` of 0..steps: half a cosine wave from 1 to 0."""
    return (1 + math.cos(math.pi * step / max(steps, 1))) / 2


def check_loss(loss: float, step: int) -> None:
    """Refuse to train on with a loss that is not finite.

    Raises:
        ValueError: the loss is infinite or not a number; names the key to edit.
    """
    if not math.isfinite(loss):
        raise ValueError(f"loss {loss} at step {step}; lower classifiers.learning_rate")


def describe_progress(loss: float, optimizer: torch.optim.Optimizer) -> str:
    """Describe loss and learning rate for the log."""
    return f"loss {loss:.3f}, learning_rate {optimizer.param_groups[0]['lr']:.4f}"


def augment_batches(
    batches: Iterable[Int64[Tensor, " _"]],
    images: UInt8[Tensor, "n 3 h w"],
    labels: Int64[Tensor, " n"],
    augment_batch: Augment,
    *,
    device: torch.device | None = None,
) -> Iterator[tuple[Float32[Tensor, "_ 3 h w"], Int64[Tensor, " _"]]]:
    """Yield augmented inputs and labels of each batch, on `device` (None: that of the images).

    Several batches of small images are augmented at once, since an operation's call costs more than
    its pixels on a CPU (RandAugment, 64 images of 28 x 28: half the time).
    """
    waiting: list[Tensor] = []
    pixels = images.shape[2] * images.shape[3]
    device = images.device if device is None else device

    def flush() -> Iterator[tuple[Tensor, Tensor]]:
        rows = torch.cat(waiting)
        sizes = [len(batch) for batch in waiting]
        waiting.clear()
        chosen = images[rows.to(images.device)].to(device)
        targets = labels[rows.to(labels.device)].to(device)
        yield from zip(augment_batch(chosen).split(sizes), targets.split(sizes), strict=True)

    for batch in batches:
        waiting.append(batch)
        if sum(map(len, waiting)) * pixels >= BLOCK:
            yield from flush()
    if waiting:
        yield from flush()


def move_to_device(
    images: UInt8[Tensor, "n 3 h w"], device: torch.device
) -> UInt8[Tensor, "n 3 h w"]:
    """Move images to the device; leave them in main memory where a GPU has no room for them."""
    if device.type == "cuda" and images.nbytes > torch.cuda.mem_get_info(device)[0] / ROOM:
        print(f"{images.nbytes / 2**30:.1f} GiB of images stay in main memory")
        return images
    return images.to(device)


def measure_statistics(
    images: UInt8[Tensor, "n 3 h w"],
) -> tuple[Float32[Tensor, " 3"], Float32[Tensor, " 3"]]:
    """Measure mean and standard deviation of each channel, in 0..255; 1 for a uniform channel."""
    counts = torch.zeros(3, 256, dtype=torch.float64)
    for part in images.split(max(1, PIXELS // max(1, images[0, 0].numel()))):
        for channel in range(3):
            counts[channel] += torch.bincount(part[:, channel].flatten(), minlength=256).cpu()
    shares = counts / counts[0].sum()
    values = torch.arange(256, dtype=torch.float64)
    mean = (shares * values).sum(1, keepdim=True)
    std = (shares * (values - mean).square()).sum(1).sqrt()
    return mean[:, 0].float(), torch.where(std > 0, std, 1.0).float()


@torch.inference_mode()
def predict(
    net: nn.Module,
    images: UInt8[Tensor, "n 3 h w"],
    *,
    mean: Float32[Tensor, " 3"],
    std: Float32[Tensor, " 3"],
    batch_size: int = 256,
) -> Int64[Tensor, " n"]:
    """Predict the class of each image, unaugmented, at most `batch_size` at once."""
    net.eval()
    batch_size = max(1, min(batch_size, PIXELS // max(1, images.shape[2] * images.shape[3])))
    with autocast(mean.device):
        classes = [
            net(normalise(part.to(mean.device), mean=mean, std=std)).argmax(1).cpu()
            for part in images.split(batch_size)
        ]
    return torch.cat(classes)
