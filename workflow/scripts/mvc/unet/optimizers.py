"""The optimizers of fine-tuning, and their state in checkpoints."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

OPTIMIZERS = ("adamw", "adamw8bit")


def build_optimizer(
    name: str,
    parameters: Sequence[nn.Parameter],
    *,
    learning_rate: float | int,
    weight_decay: float | int,
) -> torch.optim.Optimizer:
    """Build AdamW, with its state in float32 or, by bitsandbytes, in eight bits.

    Its state is there from the start: a GPU that has no room for it says so before the first step.

    Raises:
        ValueError: another name.
        torch.OutOfMemoryError: the device has no room.
    """
    options = {"lr": learning_rate, "weight_decay": weight_decay}
    if name == "adamw":
        optimizer = torch.optim.AdamW(parameters, fused=True, **options)
    elif name == "adamw8bit":
        from bitsandbytes.optim import AdamW8bit  # not among the locked packages

        optimizer = AdamW8bit(parameters, **options)
    else:
        raise ValueError(f"unet.optimizer = {name}; must be one of {', '.join(OPTIMIZERS)}")
    _make_state(optimizer, parameters)
    return optimizer


def _make_state(optimizer: torch.optim.Optimizer, parameters: Sequence[nn.Parameter]) -> None:
    """Make the optimizer's state as of before the first step: by one that changes nothing."""
    rates = [group["lr"] for group in optimizer.param_groups]
    for weight in parameters:
        weight.grad = torch.zeros_like(weight)
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    optimizer.step()
    optimizer.zero_grad()
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    for weight in parameters:
        optimizer.state[weight]["step"] *= 0


def list_slots(
    optimizer: torch.optim.Optimizer, parameters: Sequence[nn.Parameter]
) -> Iterator[tuple[str, dict, str]]:
    """List the parts of the state: a name in checkpoints, the dictionary that has it, its key."""
    for i, weight in enumerate(parameters):
        state = optimizer.state[weight]
        yield from ((f"{slot}.{i}", state, slot) for slot in state)


def collect_state(
    optimizer: torch.optim.Optimizer, parameters: Sequence[nn.Parameter]
) -> dict[str, Tensor]:
    """Collect the optimizer's state as tensors by name."""
    return {
        name: torch.as_tensor(state[slot])
        for name, state, slot in list_slots(optimizer, parameters)
    }


def restore_state(
    optimizer: torch.optim.Optimizer, parameters: Sequence[nn.Parameter], saved
) -> None:
    """Restore what `collect_state` collected.

    Args:
        saved: returns a tensor by its name.
    """
    for name, state, slot in list_slots(optimizer, parameters):
        if isinstance(state[slot], Tensor):
            state[slot].copy_(saved(name))
        else:
            state[slot] = saved(name).item()
