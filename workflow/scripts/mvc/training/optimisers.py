"""SGD and Adam without PyTorch's own, whose import of the compiler costs more than a second.

Both take the same steps as `torch.optim.SGD` and `torch.optim.Adam`: gradients are clipped by
their common norm, then weight decay is added to them (L2, not AdamW's).
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn


class Nesterov:
    """SGD with Nesterov momentum 0.9."""

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        weight_decay: int | float,
        clip: int | float,
        momentum: float = 0.9,
    ):
        self.parameters = [p for p in parameters if p.requires_grad]
        self.momenta = [torch.zeros_like(p) for p in self.parameters]
        self.weight_decay, self.clip, self.momentum = weight_decay, clip, momentum

    @torch.no_grad()
    def step(self, lr: int | float) -> None:
        """Update the parameters from their gradients, which are set to None."""
        gradients = taken(self.parameters, clip=self.clip, weight_decay=self.weight_decay)
        torch._foreach_mul_(self.momenta, self.momentum)
        torch._foreach_add_(self.momenta, gradients)
        torch._foreach_add_(gradients, self.momenta, alpha=self.momentum)
        torch._foreach_add_(self.parameters, gradients, alpha=-lr)


class Adam:
    """Adam (Kingma & Ba, 2015) with bias correction."""

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        weight_decay: int | float,
        clip: int | float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ):
        self.parameters = [p for p in parameters if p.requires_grad]
        self.means = [torch.zeros_like(p) for p in self.parameters]
        self.squares = [torch.zeros_like(p) for p in self.parameters]
        self.weight_decay, self.clip = weight_decay, clip
        self.betas, self.eps, self.steps = betas, eps, 0

    @torch.no_grad()
    def step(self, lr: int | float) -> None:
        """Update the parameters from their gradients, which are set to None."""
        gradients = taken(self.parameters, clip=self.clip, weight_decay=self.weight_decay)
        self.steps += 1
        first, second = self.betas
        torch._foreach_lerp_(self.means, gradients, 1 - first)
        torch._foreach_mul_(self.squares, second)
        torch._foreach_addcmul_(self.squares, gradients, gradients, 1 - second)
        scales = torch._foreach_sqrt(self.squares)
        torch._foreach_div_(scales, math.sqrt(1 - second**self.steps))
        torch._foreach_add_(scales, self.eps)
        torch._foreach_addcdiv_(self.parameters, self.means, scales, -lr / (1 - first**self.steps))


OPTIMISERS = {"sgd": Nesterov, "adam": Adam}


def optimiser(
    name: str, net: nn.Module, *, weight_decay: int | float, clip: int | float
) -> Nesterov | Adam:
    """The optimiser called `name` for a network's parameters.

    Raises:
        ValueError: the name is none of OPTIMISERS.
    """
    if name not in OPTIMISERS:
        allowed = ", ".join(OPTIMISERS)
        raise ValueError(f"classifiers.optimiser = {name}; must be one of {allowed}")
    return OPTIMISERS[name](net.parameters(), weight_decay=weight_decay, clip=clip)


def taken(
    parameters: list[nn.Parameter], *, clip: int | float, weight_decay: int | float
) -> list[Tensor]:
    """The gradients, clipped and decayed; the parameters' own are set to None."""
    gradients = [p.grad for p in parameters]
    for p in parameters:
        p.grad = None
    norm = torch.stack(torch._foreach_norm(gradients)).norm()
    torch._foreach_mul_(gradients, (clip / (norm + 1e-6)).clamp(max=1))
    torch._foreach_add_(gradients, parameters, alpha=weight_decay)
    return gradients
