"""The training loop and the prediction of classes, for any network.

SGD with Nesterov momentum, a cosine schedule to zero in each phase, gradients clipped by norm.
All images lie in memory as uint8; each batch is augmented as a whole. float32 on CPU; bfloat16
autocast on a GPU. Axes: n images, 3 channels, h and w pixels, b images of a batch.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor, nn

from mvc.augment import normalise
from mvc.batches import Phase

REPORT_EVERY = 5.0  # seconds between two lines of progress
BLOCK = 2**18  # pixels augmented at once: 334 images of 28 x 28
Augment = Callable[[UInt8[Tensor, "b 3 h w"]], Float32[Tensor, "b 3 h w"]]


def train(
    net: nn.Module,
    images: UInt8[Tensor, "n 3 h w"],
    labels: Int64[Tensor, " n"],
    phases: Sequence[Phase],
    *,
    prepare: Augment,
    weight_decay: int | float,
    clip: int | float,
) -> int:
    """Train `net` in place through the phases; progress goes to standard output.

    Returns:
        The number of updates.
    """
    net.train()
    report = Report(sum(phase.updates for phase in phases))
    bf16 = images.is_cuda
    for phase in phases:
        optimiser = Nesterov(net.parameters(), weight_decay=weight_decay, clip=clip)
        for step, (inputs, targets) in enumerate(prepared(phase.batches, images, labels, prepare)):
            lr = phase.lr * (1 + math.cos(math.pi * step / phase.updates)) / 2
            with torch.autocast(images.device.type, torch.bfloat16, enabled=bf16):
                loss = F.cross_entropy(net(inputs), targets)
            loss.backward()
            optimiser.step(lr)
            report(loss, lr)
    return report.done


class Nesterov:
    """SGD with Nesterov momentum 0.9, weight decay and gradients clipped by their common norm.

    The same steps as `torch.optim.SGD`, whose import of the compiler would cost every short
    training on CPU more than a second.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        weight_decay: int | float,
        clip: int | float,
        momentum: float = 0.9,
    ):
        self.parameters = list(parameters)
        self.momenta = [torch.zeros_like(p) for p in self.parameters]
        self.weight_decay, self.clip, self.momentum = weight_decay, clip, momentum

    @torch.no_grad()
    def step(self, lr: int | float) -> None:
        """Update the parameters from their gradients, which are set to None."""
        gradients = [p.grad for p in self.parameters]
        norm = torch.stack(torch._foreach_norm(gradients)).norm()
        torch._foreach_mul_(gradients, (self.clip / (norm + 1e-6)).clamp(max=1))
        torch._foreach_add_(gradients, self.parameters, alpha=self.weight_decay)
        torch._foreach_mul_(self.momenta, self.momentum)
        torch._foreach_add_(self.momenta, gradients)
        torch._foreach_add_(gradients, self.momenta, alpha=self.momentum)
        torch._foreach_add_(self.parameters, gradients, alpha=-lr)
        for p in self.parameters:
            p.grad = None


def prepared(
    batches: Iterable[Int64[Tensor, " _"]],
    images: UInt8[Tensor, "n 3 h w"],
    labels: Int64[Tensor, " n"],
    prepare: Augment,
) -> Iterator[tuple[Float32[Tensor, "_ 3 h w"], Int64[Tensor, " _"]]]:
    """Augmented inputs and labels of each batch.

    Batches of small images are augmented several at once: the cost of an operation on CPU is then
    its pixels', not its call's (RandAugment, 64 images of 28 x 28: half the time).
    """
    waiting: list[Tensor] = []
    pixels = images.shape[2] * images.shape[3]

    def flush() -> Iterator[tuple[Tensor, Tensor]]:
        rows = torch.cat(waiting).to(images.device)
        sizes = [len(batch) for batch in waiting]
        waiting.clear()
        yield from zip(prepare(images[rows]).split(sizes), labels[rows].split(sizes), strict=True)

    for batch in batches:
        waiting.append(batch)
        if sum(map(len, waiting)) * pixels >= BLOCK:
            yield from flush()
    if waiting:
        yield from flush()


class Report:
    """Prints the rate, loss and time left every REPORT_EVERY seconds, and at the last update."""

    def __init__(self, total: int):
        self.total, self.done = total, 0
        self.start = self.last = time.perf_counter()

    def __call__(self, loss: Tensor, lr: float) -> None:
        self.done += 1
        now = time.perf_counter()
        if now - self.last < REPORT_EVERY and self.done < self.total:
            return
        self.last, rate = now, self.done / (now - self.start)
        if not math.isfinite(loss.item()):
            raise ValueError(f"loss {loss.item()} at update {self.done}; lower classifiers.lr")
        print(
            f"{self.done}/{self.total} updates, {rate:.1f} a second, loss {loss.item():.3f}, "
            f"lr {lr:.4f}, {(self.total - self.done) / rate:.0f} s left",
            flush=True,
        )


def statistics(
    images: UInt8[Tensor, "n 3 h w"],
) -> tuple[Float32[Tensor, " 3"], Float32[Tensor, " 3"]]:
    """Mean and standard deviation of each channel, in 0..255; 1 for a uniform channel."""
    values = images.transpose(0, 1).flatten(1).double()
    std = values.std(1, correction=0)
    return values.mean(1).float(), torch.where(std > 0, std, 1.0).float()


@torch.inference_mode()
def predict(
    net: nn.Module,
    images: UInt8[Tensor, "n 3 h w"],
    *,
    mean: Float32[Tensor, " 3"],
    std: Float32[Tensor, " 3"],
    batch_size: int = 256,
) -> Int64[Tensor, " n"]:
    """The most likely class of each image, unaugmented."""
    net.eval()
    with torch.autocast(mean.device.type, torch.bfloat16, enabled=mean.is_cuda):
        found = [
            net(normalise(part.to(mean.device), mean=mean, std=std)).argmax(1).cpu()
            for part in images.split(batch_size)
        ]
    return torch.cat(found)
