"""Hyperparameters of a classifier: its training and its augmentation in one arm.

Axes: 3 channels, h and w pixels, b images of a batch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from mvc.training.augment import augment
from mvc.training.autoaugment import (
    Policy,
    SubPolicy,
    build_autoaugment,
    build_policy,
    build_randaugment,
)
from mvc.training.loop import Augment

AUGMENTATIONS = ("default", "aa", "ra", "faa", "random")


@dataclass(frozen=True)
class Hyperparameters:
    """How to train and augment: the config section `classifiers` for one arm.

    `ra` holds n and m (see `autoaugment`), `phase2` share and learning_rate_scale, `rsp` p and mode
    (see `strategies`); `sub_policies` are those that faa and random draw from.
    """

    augmentation: str  # default: crop and flip alone; any other: a policy before them
    batch_size: int
    learning_rate: int | float
    weight_decay: int | float
    max_grad_norm: int | float  # gradients are clipped to this norm
    optimizer: str = "sgd"  # or adam; their weight decay is L2
    weights: str | None = None  # initial ones: see `networks.build`
    epochs: int | float | None = None
    steps: int | None = None
    pad: int = 4  # pixels
    flip: bool = True
    cutout: int = 0  # pixels; 0: none
    fill: str = "black"  # colour of the pixels that geometric operations uncover: black or mean
    aa: str = "cifar"  # or imagenet
    ra: dict = field(default_factory=dict)
    sub_policies: Sequence[SubPolicy] = field(default=(), repr=False)
    strategy: str | None = None
    phase2: dict = field(default_factory=dict)
    rsp: dict = field(default_factory=dict)
    steps_as_with: int | float | None = None  # extra images per real one: see `lengthen`

    def build_policy(self, size: tuple[int, int]) -> Policy | None:
        """Build the augmentation policy for images of (h, w) pixels; None for default.

        Raises:
            ValueError: the augmentation is unknown, or has no sub-policies to draw from.
        """
        if self.augmentation not in AUGMENTATIONS:
            allowed = ", ".join(AUGMENTATIONS)
            raise ValueError(
                f"classifiers.arms: augmentation = {self.augmentation}; must be one of {allowed}"
            )
        match self.augmentation:
            case "aa":
                return build_autoaugment(size, self.aa)
            case "ra":
                return build_randaugment(self.ra["n"], self.ra["m"], size)
            case "faa" | "random":
                if not self.sub_policies:
                    raise ValueError(
                        f"classifiers.arms: augmentation = {self.augmentation}, but there are no "
                        "sub-policies"
                    )
                return build_policy(self.sub_policies, size=size)


def pick_hyperparameters(
    settings: Mapping, *, sub_policies: Sequence[SubPolicy] = ()
) -> Hyperparameters:
    """Pick the settings of a run that say how to train and augment."""
    names = {each.name for each in fields(Hyperparameters)}
    picked = {key: value for key, value in settings.items() if key in names}
    return Hyperparameters(**picked, sub_policies=sub_policies)


def build_augmentation(
    hyperparameters: Hyperparameters,
    mean: Float32[Tensor, " 3"],
    std: Float32[Tensor, " 3"],
    size: tuple[int, int],
    generator: torch.Generator,
) -> Augment:
    """Build the augmentation of an arm as a function of a batch."""
    policy = hyperparameters.build_policy(size)
    fill = choose_fill(hyperparameters, mean)

    def augment_batch(images: UInt8[Tensor, "b 3 h w"]) -> Float32[Tensor, "b 3 h w"]:
        return augment(
            images,
            policy=policy,
            pad=hyperparameters.pad,
            flip=hyperparameters.flip,
            cutout_size=hyperparameters.cutout,
            mean=mean,
            std=std,
            fill=fill,
            generator=generator,
        )

    return augment_batch


def choose_fill(
    hyperparameters: Hyperparameters, mean: Float32[Tensor, " 3"]
) -> UInt8[Tensor, " 3"]:
    """Choose the colour that geometric operations uncover: black, or the mean (0..255)."""
    return (mean.round() if hyperparameters.fill == "mean" else torch.zeros_like(mean)).byte()
