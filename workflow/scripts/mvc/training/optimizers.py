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
        max_grad_norm: int | float,
        momentum: float = 0.9,
    ):
        self.parameters = [p for p in parameters if p.requires_grad]
        self.momenta = [torch.zeros_like(p) for p in self.parameters]
        self.weight_decay, self.max_grad_norm, self.momentum = weight_decay, max_grad_norm, momentum

    @torch.no_grad()
    def step(self, learning_rate: int | float) -> None:
        """Update the parameters from their gradients, which are set to None."""
        gradients = taken(
            self.parameters, max_grad_norm=self.max_grad_norm, weight_decay=self.weight_decay
        )
        torch._foreach_mul_(self.momenta, self.momentum)
        torch._foreach_add_(self.momenta, gradients)
        torch._foreach_add_(gradients, self.momenta, alpha=self.momentum)
        torch._foreach_add_(self.parameters, gradients, alpha=-learning_rate)


class Adam:
    """Adam (Kingma & Ba, 2015) with bias correction."""

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        weight_decay: int | float,
        max_grad_norm: int | float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ):
        self.parameters = [p for p in parameters if p.requires_grad]
        self.means = [torch.zeros_like(p) for p in self.parameters]
        self.squares = [torch.zeros_like(p) for p in self.parameters]
        self.weight_decay, self.max_grad_norm = weight_decay, max_grad_norm
        self.betas, self.eps, self.steps = betas, eps, 0

    @torch.no_grad()
    def step(self, learning_rate: int | float) -> None:
        """Update the parameters from their gradients, which are set to None."""
        gradients = taken(
            self.parameters, max_grad_norm=self.max_grad_norm, weight_decay=self.weight_decay
        )
        self.steps += 1
        first, second = self.betas
        torch._foreach_lerp_(self.means, gradients, 1 - first)
        torch._foreach_mul_(self.squares, second)
        torch._foreach_addcmul_(self.squares, gradients, gradients, 1 - second)
        scales = torch._foreach_sqrt(self.squares)
        torch._foreach_div_(scales, math.sqrt(1 - second**self.steps))
        torch._foreach_add_(scales, self.eps)
        torch._foreach_addcdiv_(
            self.parameters, self.means, scales, -learning_rate / (1 - first**self.steps)
        )


OPTIMIZERS = {"sgd": Nesterov, "adam": Adam}


def optimizer(
    name: str, net: nn.Module, *, weight_decay: int | float, max_grad_norm: int | float
) -> Nesterov | Adam:
    """The optimizer called `name` for a network's parameters.

    Raises:
        ValueError: the name is none of OPTIMIZERS.
    """
    if name not in OPTIMIZERS:
        allowed = ", ".join(OPTIMIZERS)
        raise ValueError(f"classifiers.optimizer = {name}; must be one of {allowed}")
    return OPTIMIZERS[name](
        net.parameters(), weight_decay=weight_decay, max_grad_norm=max_grad_norm
    )


def taken(
    parameters: list[nn.Parameter], *, max_grad_norm: int | float, weight_decay: int | float
) -> list[Tensor]:
    """The gradients, clipped and decayed; the parameters' own are set to None."""
    gradients = [p.grad for p in parameters]
    for p in parameters:
        p.grad = None
    norm = torch.stack(torch._foreach_norm(gradients)).norm()
    torch._foreach_mul_(gradients, (max_grad_norm / (norm + 1e-6)).clamp(max=1))
    torch._foreach_add_(gradients, parameters, alpha=weight_decay)
    return gradients
