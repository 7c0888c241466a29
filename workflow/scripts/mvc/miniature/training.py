"""Training loop of the four miniature models: schedule, weight averaging, progress, checkpoints."""

import copy
import math
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from mvc.console.progress import Meter
from mvc.training.resuming import Checkpoint, list_parameters


def compute_rate(step: int, *, steps: int, peak: float, warmup_steps: int) -> float:
    """Compute a step's learning rate: linear warm-up, then a cosine down to 1 % of the peak."""
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    progress = (step - warmup_steps) / max(steps - warmup_steps, 1)
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


def average(model: nn.Module, shadow: dict, step: int, *, decay: float) -> None:
    """Advance the exponential moving average of the weights; its memory is short at first."""
    decay = min(decay, (1 + step) / (10 + step))
    with torch.no_grad():
        current = model.state_dict()
        floats = [name for name in shadow if shadow[name].is_floating_point()]
        kept = [shadow[name] for name in floats]
        torch._foreach_lerp_(kept, [current[name] for name in floats], 1 - decay)


def run(
    model: nn.Module,
    loss_of: Callable[[int], torch.Tensor],
    *,
    steps: int,
    learning_rate: float,
    warmup_steps: int,
    ema_decay: float,
    weight_decay: float = 0.01,
    keep: Callable[[int], None] | None = None,
    keep_every: int = 1000,
    checkpoint: Checkpoint | None = None,
) -> None:
    """Run a training with AdamW, and leave the averaged weights in the model.

    Args:
        loss_of: returns the loss of a step, on a batch that it draws.
        ema_decay: decay of the averaged weights per step.
        keep: called every `keep_every` steps with the averaged weights in place.
        checkpoint: where a stopped training goes on from, with the generator that `loss_of` draws
            from; None keeps none.

    Raises:
        SystemExit: a signal asked to stop; with `checkpoint` only.
    """
    averaged = copy.deepcopy(model)
    shadow, both = averaged.state_dict(), nn.ModuleList([model, averaged])
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        parameters, lr=learning_rate, betas=(0.9, 0.98), weight_decay=weight_decay, fused=True
    )
    scaler = torch.amp.GradScaler(enabled=False)
    start = checkpoint.load(both, scaler) if checkpoint else 0
    if start:
        checkpoint.load_optimizer(optimizer)
    model.train()
    meter, mean = Meter(steps, "steps", start=start), None
    rate = partial(compute_rate, steps=steps, peak=learning_rate, warmup_steps=warmup_steps)
    for step in range(start, steps):
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        loss = loss_of(step)
        take_step(loss, optimizer)
        average(model, shadow, step, decay=ema_decay)
        mean = smooth(mean, loss.item(), step)
        meter.show(step + 1, f"loss {mean:.4f}")
        if keep and (step + 1) % keep_every == 0 and step + 1 < steps:
            apply_average(model, shadow, lambda done=step + 1: keep(done))
        if checkpoint:
            checkpoint.keep(step + 1, both, optimizer, scaler)
    model.load_state_dict(shadow)
    model.eval()


def take_step(loss: torch.Tensor, optimizer: torch.optim.Optimizer) -> None:
    """Update the weights by the gradients of the loss, clipped to a norm of 1."""
    loss.backward()
    nn.utils.clip_grad_norm_(list_parameters(optimizer), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def apply_average(model: nn.Module, shadow: dict, act: Callable[[], None]) -> None:
    """Call `act` while the model holds the averaged weights, then restore its own."""
    current = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(shadow)
    model.eval()
    act()
    model.load_state_dict(current)
    model.train()


def smooth(mean: float | None, loss: float, step: int) -> float:
    """Smooth the loss: its moving average after one more step.

    Raises:
        FloatingPointError: the loss is not finite.
    """
    if not math.isfinite(loss):
        raise FloatingPointError(f"loss = {loss} at step {step}; lower learning_rate")
    return loss if mean is None else 0.98 * mean + 0.02 * loss
