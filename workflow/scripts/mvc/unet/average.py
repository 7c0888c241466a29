"""The exponential moving average of the trained weights, on the device that has room for it."""

from collections.abc import Iterable, Sequence

import torch
from diffusers.training_utils import EMAModel
from torch import nn


class Average(EMAModel):
    """diffusers' average, which may lie on another device than the weights.

    It takes one weight at a time, so that no copy of all of them is made.
    """

    @torch.no_grad()
    def step(self, parameters: Iterable[nn.Parameter]) -> None:
        """Move the average towards the weights."""
        self.optimization_step += 1
        self.cur_decay_value = self.get_decay(self.optimization_step)
        share = 1 - self.cur_decay_value
        for average, weight in zip(self.shadow_params, parameters, strict=True):
            average.sub_(average - weight.to(average.device), alpha=share)


def make_average(parameters: Sequence[nn.Parameter], decay: float, *, place: str) -> Average:
    """Make the average, of the weights as they are.

    Args:
        place: `device`, that of the weights; `cpu`; or `auto`, the device if it has room.

    Raises:
        torch.OutOfMemoryError: the device has no room, with `device`.
    """
    if place != "cpu":
        try:
            return Average(parameters, decay=decay)
        except torch.OutOfMemoryError:
            if place == "device":
                raise
        torch.cuda.empty_cache()
        print("the averaged weights lie in main memory (unet.ema_device: auto)")
    return Average([weight.detach().cpu() for weight in parameters], decay=decay)
