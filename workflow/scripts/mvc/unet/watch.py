"""What a user wants to see of fine-tuning while it runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Watch:
    """How fine-tuning is watched: keys of the config on which no weight depends.

    With `early_stop` the weights do depend on `validation`, which the stage then reads as well.
    """

    validation: Mapping  # `unet.validation`
    sample_every: int | None
    tracker: str | None
    samples: Mapping  # `figures.samples`
    folder: str  # of the pictures and the tracker's logs
    # Context of the function that is called with step and loss after each step. It is handed in:
    # code that draws must not make the weights stale, see `config.code`.
    start: Callable
