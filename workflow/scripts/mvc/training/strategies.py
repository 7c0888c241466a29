"""Training strategies: which images each step sees (Section 4.2.2).

Images are numbered: 0..r-1 the real ones, r..r+x-1 the extra ones (synthetic or further real).
Axes: r real and x extra images; batches vary in length.

- `combined`: passes over real and extra images together.
- `two_phase`: `combined`, then the real images alone for fewer steps at a smaller learning rate.
- `rsp`: passes over the real images; each slot of a batch takes, with probability p, a random
  extra image of its own class: in its place (`replace`) or in addition (`append`).

The length is set in `epochs` or in `steps`. Epochs are passes, to which phase 2 adds its share.
Steps are the total of every arm, phase 2 included, with or without extra images. With `epochs`, an
arm without extra images takes fewer steps; as a control of the length alone, `lengthen` gives it as
many as with extra images.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor

from mvc.core.counts import count_mixed

SHARE = 0.2  # of phase 2, as in the paper
STRATEGIES = ("two_phase", "rsp", "combined")


@dataclass(frozen=True)
class Phase:
    """A stretch of training: `steps` batches, a cosine schedule from `learning_rate` to 0."""

    batches: Iterator[Int64[Tensor, " _"]]
    steps: int
    learning_rate: int | float


@dataclass(frozen=True)
class Length:
    """How long to train: exactly one of `epochs` and `steps` is a number."""

    batch_size: int
    epochs: int | float | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError(
                f"classifiers.epochs = {self.epochs}, classifiers.steps = {self.steps}; "
                "set one of them, the other to null"
            )
        if self.batch_size < 2:
            raise ValueError(f"classifiers.batch_size = {self.batch_size}; must be >= 2")

    def split(self, share: int | float) -> tuple["Length", "Length"]:
        """Split into phases 1 and 2: `share` is part of the steps, but added to the epochs."""
        if not 0 <= share < 1:
            raise ValueError(f"classifiers.phase2.share = {share}; must be >= 0 and < 1")
        if self.steps is None:
            parts = self.epochs, share * self.epochs
            return tuple(Length(self.batch_size, epochs=part) for part in parts)
        second = round(share * self.steps)
        parts = self.steps - second, second
        return tuple(Length(self.batch_size, steps=part) for part in parts)

    def count_draws(self, n: int) -> int:
        """Count the images drawn in all from a set of `n`; no last batch of a single image.

        Batch norm has no statistics of one image whose last feature map is a single position.
        """
        if self.steps is None:
            draws = round(self.epochs * n)
            return draws + (draws % self.batch_size == 1)
        return self.steps * self.batch_size


def plan_phases(
    real: Int64[Tensor, " r"],
    extra: Int64[Tensor, " x"],
    *,
    length: Length,
    learning_rate: int | float,
    strategy: str | None,
    share: int | float = SHARE,
    learning_rate_scale: int | float = 0.1,
    p: int | float = 0.8,
    mode: str = "replace",
    order: torch.Generator,
    choice: torch.Generator,
) -> list[Phase]:
    """Plan the phases of one training: without extra images, one phase over the real ones.

    Args:
        real, extra: labels of the real and of the extra images.
        strategy: one of STRATEGIES; ignored without extra images.
        share, learning_rate_scale: of phase 2 (`two_phase`). p, mode: see `insert_extra` (`rsp`).
        order: of the real images; equal states give equal real batches with and without `rsp`.
        choice: of the extra images.

    Raises:
        ValueError: an unknown strategy, or a share outside 0..1.
    """
    alone = _plan_phase(len(real), length, learning_rate, order)
    together = len(real) + len(extra)
    if not len(extra):
        return [alone]
    if strategy == "rsp":
        mixed = insert_extra(alone.batches, real, extra, p=p, mode=mode, generator=choice)
        return [Phase(mixed, alone.steps, learning_rate)]
    if strategy == "combined":
        return [_plan_phase(together, length, learning_rate, order)]
    if strategy == "two_phase":
        first, second = length.split(share)
        last = _plan_phase(len(real), second, learning_rate * learning_rate_scale, order)
        return [_plan_phase(together, first, learning_rate, choice), last]
    raise ValueError(f"classifiers.strategy = {strategy}; must be one of {', '.join(STRATEGIES)}")


def lengthen(
    length: Length,
    real: Int64[Tensor, " r"],
    per_real: int | float,
    *,
    strategy: str | None,
    share: int | float = SHARE,
) -> Length:
    """Give a training the steps that it would have with `per_real` extra images per real one.

    Args: see `plan_phases`.
    """
    counts = [count_mixed(count, per_real) for count in torch.bincount(real).tolist()]
    extra = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    unread = torch.Generator()  # no batch is drawn
    phases = plan_phases(
        real,
        extra,
        length=length,
        learning_rate=0,
        strategy=strategy,
        share=share,
        order=unread,
        choice=unread,
    )
    return Length(length.batch_size, steps=sum(phase.steps for phase in phases))


def _plan_phase(
    n: int, length: Length, learning_rate: int | float, generator: torch.Generator
) -> Phase:
    draws = length.count_draws(n)
    steps = -(-draws // length.batch_size)
    return Phase(
        shuffle_batches(n, draws, length.batch_size, generator=generator), steps, learning_rate
    )


def shuffle_batches(
    n: int, draws: int, batch_size: int, *, generator: torch.Generator
) -> Iterator[Int64[Tensor, " _"]]:
    """Draw batches from passes over 0..n-1, each in a new random order; the last may be smaller.

    A batch may reach into the next pass, so that a set may be smaller than a batch.
    """
    waiting = torch.empty(0, dtype=torch.int64)
    while draws > 0:
        size = min(batch_size, draws)
        while len(waiting) < size:
            waiting = torch.cat((waiting, torch.randperm(n, generator=generator)))
        yield waiting[:size]
        waiting, draws = waiting[size:], draws - size


def insert_extra(
    batches: Iterator[Int64[Tensor, " _"]],
    real: Int64[Tensor, " r"],
    extra: Int64[Tensor, " x"],
    *,
    p: int | float,
    mode: str,
    generator: torch.Generator,
) -> Iterator[Int64[Tensor, " _"]]:
    """Random selection with probability (RSP): extra images of the slots' classes enter batches.

    A slot whose class has no extra image stays as it is.

    Raises:
        ValueError: p is outside 0..1, or the mode is neither `replace` nor `append`.
    """
    if not 0 <= p <= 1 or mode not in ("replace", "append"):
        raise ValueError(
            f"classifiers.rsp: p = {p}, mode = {mode}; must be 0..1, replace or append"
        )
    by_class = extra.argsort(stable=True) + len(real)
    counts = torch.bincount(extra, minlength=int(real.max()) + 1)
    first = counts.cumsum(0) - counts
    for batch in batches:
        entering, place = torch.rand(2, len(batch), generator=generator, dtype=torch.float64)
        available = counts[real[batch]]
        picked = first[real[batch]] + (place * available).long()
        replaced = (entering < p) & (available > 0)
        if mode == "append":
            yield torch.cat((batch, by_class[picked[replaced]]))
        else:
            yield torch.where(replaced, by_class[picked.clamp(max=len(extra) - 1)], batch)
