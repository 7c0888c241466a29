"""Fitting fine-tuning into a GPU's memory by what changes time and rounding alone."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from mvc.core.device import has_exceeded_memory
from mvc.unet.average import Average

BYTES = {"adamw": 8, "adamw8bit": 2}  # of an optimizer's state, per trained weight


@dataclass(frozen=True)
class Memory:
    """Keys of the config's section `unet` on which no result depends.

    `micro_batch` is the pairs that a process computes at once: `auto`, all of its share, and half
    as many each time that they exceed the memory.
    """

    micro_batch: int | str = "auto"
    checkpointing: bool = False
    ema_device: str = "auto"


DEFAULT = Memory()


class Fit:
    """What fine-tuning has come down to so that it fits: its micro-batch and the average's place.

    All processes do the same, so that they stay in step.
    """

    def __init__(self, memory: Memory, *, train: str, optimizer: str):
        """Args: `train` and `optimizer` are keys of the config's section `unet`."""
        self.memory = memory
        self.train = train
        self.optimizer = optimizer
        self.wanted = None if memory.micro_batch == "auto" else memory.micro_batch
        self.micro_batch = self.wanted
        self.average_moved = memory.ema_device != "auto"

    def shrink(self, rows: int, average: Average, parameters: Sequence[nn.Parameter]) -> None:
        """Come down a step: half the micro-batch, at last the average in main memory.

        Args:
            rows: pairs of this process in a step.

        Raises:
            MemoryError: nothing is left to come down to; names the keys to change.
        """
        size = min(self.micro_batch or rows, rows)
        if self.wanted is None and size > 1:
            self.micro_batch = size // 2
            print(f"{size} pairs at once exceed the GPU's memory: going on with {size // 2}")
        elif not self.average_moved:
            average.to("cpu")
            self.average_moved, self.micro_batch = True, self.wanted
            print("the averaged weights move to main memory (unet.ema_device: auto)")
        else:
            raise MemoryError(self.advise(size, parameters))

    def advise(self, size: int, parameters: Sequence[nn.Parameter]) -> str:
        """Say which keys to change to what where `size` pairs do not fit, and what that saves."""
        trained = sum(weight.numel() for weight in parameters) / 1e9
        state = BYTES[self.optimizer]
        advice = []
        if size > 1:
            advice.append("unet.micro_batch: auto")
        if not self.memory.checkpointing:
            advice.append("unet.checkpointing: true")
        if self.memory.ema_device == "device":
            advice.append(f"unet.ema_device: cpu (saves {4 * trained:.1f} GB)")
        if self.optimizer != "adamw8bit":
            saved = (state - BYTES["adamw8bit"]) * trained
            advice.append(f"unet.optimizer: adamw8bit (saves {saved:.1f} GB, needs bitsandbytes)")
        if self.train != "lora":
            advice.append(f"unet.train: lora (saves up to {(4 + state) * trained:.1f} GB)")
        advice.append("a lower unet.resolution")
        pairs = "one image pair does" if size == 1 else f"{size} image pairs do"
        return (
            f"unet: {pairs} not fit the GPU's memory ({describe_memory()}); set "
            f"{', or '.join(advice)}; or use a GPU with more memory that no other process uses"
        )

    @contextmanager
    def explain_exceeded(self, parameters: Sequence[nn.Parameter]) -> Iterator[None]:
        """Explain that weights, gradients and the optimizer's state do not fit.

        Raises:
            MemoryError: names the keys to change.
        """
        try:
            yield
        except RuntimeError as error:
            if not has_exceeded_memory(error):
                raise
            raise MemoryError(self.advise(1, parameters)) from error


def describe_memory() -> str:
    """The GPU's memory and what of it this process has taken, in GB."""
    if not torch.cuda.is_available():
        return "no GPU"
    free, total = torch.cuda.mem_get_info()
    own = torch.cuda.memory_reserved()
    others = total - free - own
    return (
        f"{total / 1e9:.1f} GB: {own / 1e9:.1f} of this process, {others / 1e9:.1f} of others, "
        f"{free / 1e9:.1f} free"
    )
