"""Validation loss of fine-tuning on held-out pairs, and the early stop by it.

A pair is two validation images of a class and a text of that class: an entry of its bank, or a
caption of one of its training images, since validation images have none. The weights never see it
as anything but a number.

Axes: n images, b pairs; m context tokens, d text width.
"""

import math
from collections.abc import Callable, Sequence

import pyarrow as pa
import torch
from jaxtyping import Float, Int
from safetensors import safe_open
from torch import Tensor

from mvc.banks.mixing import materialise
from mvc.core.image_tables import get_bytes, get_fit
from mvc.core.seeds import derive_seed
from mvc.models.stable_diffusion import cache_latents
from mvc.unet.pairs import Batch, Groups, Pool, choose_entries, choose_partners


class Validation:
    """The validation loss of each measured step, and the averaged weights of the lowest."""

    def __init__(
        self, pairs: Batch, *, every: int, steps: int, at_once: int, patience: int | None = None
    ):
        """Args:
        pairs: of all processes.
        every: steps from one measurement to the next; the last step is measured, too.
        at_once: pairs of a training step, which a process computes at once until the memory
            proves too small.
        patience: see `has_stalled`; None never stops.
        """
        self.pairs = pairs
        self.at_once = at_once
        self.every = every
        self.patience = patience
        self.losses = torch.full((steps,), torch.nan)
        self.best: list[Tensor] = []  # in the main process, with `patience`

    @property
    def best_step(self) -> int:
        """The step of the lowest loss, the first of several."""
        return int(self.losses.nan_to_num(torch.inf).argmin()) + 1

    def measure(self, trainer) -> None:
        """Measure the loss of a trainer's averaged weights, if that is due at its step.

        Raises:
            ValueError: the loss is not finite.
        """
        if trainer.step % self.every and trainer.step != trainer.steps:
            return
        loss = compute_validation_loss(trainer, self.pairs, at_once=self.at_once)
        if not math.isfinite(loss):
            raise ValueError(
                f"unet: the validation loss is {loss} at step {trainer.step:,}; lower "
                "unet.learning_rate"
            )
        self.losses[trainer.step - 1] = loss
        is_best = self.best_step == trainer.step
        note = "the lowest so far" if is_best else f"the lowest: step {self.best_step:,}"
        print(f"step {trainer.step:,}: validation loss {loss:.4f}, {note}")
        if is_best and self.patience and trainer.accelerator.is_main_process:
            self.best = [weight.detach().cpu().clone() for weight in trainer.ema.shadow_params]

    def has_stalled(self) -> bool:
        """Whether the loss has not fallen for `patience` measurements."""
        measured = ~self.losses.isnan()
        waited = int(measured[self.best_step :].sum())
        return self.patience is not None and waited >= self.patience

    def choose_weights(self, average: Sequence[Tensor], step: int) -> tuple[Sequence[Tensor], dict]:
        """Choose the weights to keep after the last step, and describe the choice; print it.

        Args:
            average: the averaged weights of that step.

        Returns:
            The averaged weights of the lowest loss with `patience`, else those given; and with
            `patience` what the U-Net's config says of them.
        """
        best, last = self.losses[self.best_step - 1].item(), self.losses[step - 1].item()
        print(
            f"the validation loss was lowest at step {self.best_step:,} ({best:.4f}); it is "
            f"{last:.4f} at step {step:,}, the last taken of {len(self.losses):,}"
        )
        if self.patience is None:
            return average, {}
        print(f"the averaged weights of step {self.best_step:,} are kept (unet.early_stop)")
        return self.best, {"early_stop": {"step": self.best_step, "validation_loss": best}}

    def collect_state(self) -> dict[str, Tensor]:
        """Collect what a checkpoint holds."""
        return {"validation": self.losses} | {f"best.{i}": w for i, w in enumerate(self.best)}

    def restore_state(self, file: safe_open, *, main: bool) -> None:
        """Restore what a checkpoint holds, which may be from a run without validation.

        Args:
            main: whether this is the main process, which keeps the best weights.
        """
        keys = {*file.keys()}
        if "validation" in keys:
            self.losses = file.get_tensor("validation")
        if self.patience and main:
            count = sum(key.startswith("best.") for key in keys)
            self.best = [file.get_tensor(f"best.{i}") for i in range(count)]


@torch.no_grad()
def compute_validation_loss(trainer, pairs: Batch, *, at_once: int) -> float:
    """Compute the mean loss of a trainer's averaged weights on pairs that its processes share."""
    rank, processes = trainer.accelerator.process_index, trainer.accelerator.num_processes
    device = trainer.accelerator.device
    mine = pairs.select(slice(rank, None, processes), device)
    total = torch.zeros(2, dtype=torch.float64, device=device)
    with trainer.use_average():
        for part in mine.split(trainer.fit.micro_batch or max(at_once // processes, 1)):
            loss = trainer.compute_loss(part).double()
            total += torch.stack([loss, torch.ones_like(loss)]) * len(part)
    loss, count = trainer.accelerator.gather(total[None]).sum(dim=0).tolist()
    return loss / count


def draw_pairs(
    table: pa.Table,
    pool: Pool,
    vae,
    *,
    pairs: int,
    pairing: str,
    size: int,
    timesteps: int,
    seed: int,
) -> Batch:
    """Draw the pairs that every measurement is made on, with their noise and timesteps.

    Nothing is mirrored or dropped, and the timesteps are spread evenly, so that few pairs do.

    Args:
        table: the validation images.
        pool: of the training images, for the texts.
        pairs: at most so many.
        pairing: see `pairs.draw_batch`.
        size: resolution in pixels.
        timesteps: T.
    """
    rng = torch.Generator().manual_seed(derive_seed(seed, "unet/validation"))

    def uniform(high: Tensor) -> Tensor:  # integers in [0, high)
        return (torch.rand(len(x), generator=rng, dtype=torch.float64) * high).long()

    labels = torch.tensor(table["label"].to_pylist())
    groups = Groups(labels)
    x = choose_spread(groups.order, pairs)
    other = choose_partners(groups, x, labels[x], uniform) if pairing == "class" else x
    files = get_bytes(table)
    shown = [files[row] for row in torch.cat([x, other])]
    mean, std = cache_latents(vae, shown, size=size, fit=get_fit(table), flip=False)
    (mean, image), std = mean[:, 0].split(len(x)), std[: len(x), 0]
    posterior = mean + std * torch.randn(mean.shape, generator=rng)
    text = choose_texts(pool, labels[x], uniform)
    even = ((torch.arange(len(x)) + 0.5) * timesteps / len(x)).long()
    print(f"validation on {len(x):,} pairs of {len(labels):,} images")
    return Batch(
        latents=posterior * vae.config.scaling_factor,
        image=image,
        text=text,
        noise=torch.randn(mean.shape, generator=rng),
        timestep=even[torch.randperm(len(x), generator=rng)],
    )


def choose_spread(rows: Int[Tensor, " n"], most: int) -> Int[Tensor, " b"]:
    """Choose at most so many rows, evenly spread."""
    count = min(most, len(rows))
    return rows[torch.arange(count) * len(rows) // count]


def choose_texts(
    pool: Pool, labels: Int[Tensor, " b"], uniform: Callable[[Tensor], Tensor]
) -> Float[Tensor, "b m d"]:
    """Choose a text of each label: an entry of the bank where there is one, else a caption.

    Args:
        uniform: draws integers below those given.
    """
    caption, _ = choose_entries(pool.groups, labels, uniform)
    states = pool.tokens[caption]
    if pool.recipes is not None:
        entry, there = choose_entries(pool.recipe_groups, labels, uniform)
        states[there] = materialise(pool.tokens, pool.recipes[entry[there]])
    return states
