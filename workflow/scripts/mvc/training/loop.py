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
from itertools import islice

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32, Int64, UInt8
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim.lr_scheduler import LambdaLR

from mvc.console.progress import Meter
from mvc.core.checkpoint import set_schedule
from mvc.core.device import autocast, make_scaler
from mvc.training.augment import normalise
from mvc.training.resuming import Checkpoint
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
    images: Sequence[UInt8[Tensor, "_ 3 h w"]],
    labels: Int64[Tensor, " n"],
    phases: Sequence[Phase],
    *,
    augment_batch: Augment,
    optimizer: str,
    weight_decay: int | float,
    max_grad_norm: int | float,
    checkpoint: Checkpoint | None = None,
) -> int:
    """Train `net` in place through the phases; progress goes to standard output.

    Args:
        images, labels: on the device of `net` or another; images in parts, such as real and extra
            ones, whose rows are numbered through.
        optimizer: one of OPTIMIZERS; each phase starts with a new one.
        checkpoint: where a stopped training goes on from; None keeps none.

    Returns:
        The number of steps.

    Raises:
        SystemExit: a signal asked to stop; with `checkpoint` only.
    """
    net.train()
    device = next(net.parameters()).device
    scaler = make_scaler(device)
    resumed = checkpoint.load(net, scaler) if checkpoint else 0
    meter = Meter(sum(phase.steps for phase in phases), "steps", start=resumed)
    steps = 0
    for phase in phases:
        done = min(resumed - steps, phase.steps) if resumed > steps else 0
        remaining = islice(phase.batches, done, None)  # draws what was drawn before
        steps += done
        stepper = build_optimizer(optimizer, net, phase.learning_rate, weight_decay=weight_decay)
        schedule = LambdaLR(stepper, partial(decay_by_cosine, steps=phase.steps))
        if done:
            checkpoint.load_optimizer(stepper)
            set_schedule(schedule, done)
        for block in group_batches(remaining, images[0]):
            for inputs, targets in augment_block(block, images, labels, augment_batch, device):
                loss = compute_loss(net, inputs, targets)
                take_step(loss, net, stepper, scaler, max_grad_norm=max_grad_norm)
                steps += 1
                if meter.is_due(steps):
                    meter.show(steps, describe_progress(check_loss(loss, steps), stepper))
                schedule.step()
            if checkpoint:
                checkpoint.keep(steps, net, stepper, scaler)
    return steps


def compute_loss(
    net: nn.Module, inputs: Float32[Tensor, "b 3 h w"], targets: Int64[Tensor, " b"]
) -> Float[Tensor, ""]:
    """Mean cross-entropy of a batch."""
    with autocast(inputs.device):
        return F.cross_entropy(net(inputs), targets)


def take_step(
    loss: Float[Tensor, ""],
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    *,
    max_grad_norm: int | float,
) -> None:
    """Update the weights by the gradients of the loss, clipped by their common norm."""
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(net.parameters(), max_grad_norm)
    scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad()


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


def check_loss(loss: Float[Tensor, ""], step: int) -> float:
    """Return the loss; refuse to train on with one that is not finite.

    Raises:
        ValueError: the loss is infinite or not a number; names the key to edit.
    """
    number = loss.item()
    if not math.isfinite(number):
        raise ValueError(f"loss {number} at step {step}; lower classifiers.learning_rate")
    return number


def describe_progress(loss: float, optimizer: torch.optim.Optimizer) -> str:
    """Describe loss and learning rate for the log."""
    return f"loss {loss:.3f}, learning_rate {optimizer.param_groups[0]['lr']:.4f}"


def group_batches(
    batches: Iterable[Int64[Tensor, " _"]], images: UInt8[Tensor, "n 3 h w"]
) -> Iterator[list[Int64[Tensor, " _"]]]:
    """Group batches into blocks that are augmented at once.

    An operation's call costs more than its pixels where images are small (RandAugment, 64 images of
    28 x 28 on a CPU: half the time).
    """
    waiting: list[Tensor] = []
    pixels = images.shape[2] * images.shape[3]
    for batch in batches:
        waiting.append(batch)
        if sum(map(len, waiting)) * pixels >= BLOCK:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def augment_block(
    block: Sequence[Int64[Tensor, " _"]],
    images: Sequence[UInt8[Tensor, "_ 3 h w"]],
    labels: Int64[Tensor, " n"],
    augment_batch: Augment,
    device: torch.device,
) -> Iterator[tuple[Float32[Tensor, "_ 3 h w"], Int64[Tensor, " _"]]]:
    """Yield augmented inputs and labels of each batch of a block, on `device`."""
    rows, sizes = torch.cat(list(block)), [len(batch) for batch in block]
    chosen = take_rows(images, rows, device)
    targets = labels[rows.to(labels.device)].to(device)
    yield from zip(augment_batch(chosen).split(sizes), targets.split(sizes), strict=True)


def take_rows(
    parts: Sequence[UInt8[Tensor, "_ 3 h w"]], rows: Int64[Tensor, " b"], device: torch.device
) -> UInt8[Tensor, "b 3 h w"]:
    """Gather rows, numbered through all parts, on `device`."""
    gathered = torch.empty(len(rows), *parts[0].shape[1:], dtype=torch.uint8, device=device)
    first = 0
    for part in parts:
        places = ((rows >= first) & (rows < first + len(part))).nonzero()[:, 0]
        chosen = part[(rows[places] - first).to(part.device)]
        gathered[places.to(device)] = chosen.to(device)
        first += len(part)
    return gathered


def move_to_device(
    parts: Sequence[UInt8[Tensor, "_ 3 h w"]], device: torch.device
) -> list[UInt8[Tensor, "_ 3 h w"]]:
    """Move images to the device; leave them in main memory where a GPU has no room for them."""
    size = sum(part.nbytes for part in parts)
    if device.type == "cuda" and size > torch.cuda.mem_get_info(device)[0] / ROOM:
        print(f"{size / 2**30:.1f} GiB of images stay in main memory")
        return list(parts)
    return [part.to(device) for part in parts]


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
