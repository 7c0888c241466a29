"""AutoAugment's published policies and RandAugment, on the scales of the two papers.

Level 10 is AutoAugment's maximum; RandAugment goes on beyond it, to 30. The ranges are those of the
reference implementation that both papers' CIFAR figures come from: shear 0.3, rotation 30 degrees,
translation 10 of 32 pixels, enhancement factors 0.1 to 1.9 (level 5 changes nothing). They differ
from torchvision's (14.5 of 32 pixels, factors 1 +- 0.9, levels of another unit). Two departures:
translation and Cutout (20 of 32 pixels) scale with the image, and Posterize keeps at least one bit,
where the reference's level 10 blackens the image.
Axes: s sub-policies, d operations in each, applied one after the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32, Float64, Int64
from torch import Tensor

from mvc.training.operations import OPERATIONS

NAMES = ("Identity", *OPERATIONS, "Cutout")  # an operation's number is its place here
SIGNED = {"ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate"}  # negated half of the time
NOTHING = ("Identity", 0.0, 0.0)
SubPolicy = Sequence[tuple[str, int | float, int | float]]  # (operation, probability, level)

AUTOAUGMENT_CIFAR: tuple[SubPolicy, ...] = (
    (("Invert", 0.1, 7), ("Contrast", 0.2, 6)),
    (("Rotate", 0.7, 2), ("TranslateX", 0.3, 9)),
    (("Sharpness", 0.8, 1), ("Sharpness", 0.9, 3)),
    (("ShearY", 0.5, 8), ("TranslateY", 0.7, 9)),
    (("AutoContrast", 0.5, 8), ("Equalize", 0.9, 2)),
    (("ShearY", 0.2, 7), ("Posterize", 0.3, 7)),
    (("Color", 0.4, 3), ("Brightness", 0.6, 7)),
    (("Sharpness", 0.3, 9), ("Brightness", 0.7, 9)),
    (("Equalize", 0.6, 5), ("Equalize", 0.5, 1)),
    (("Contrast", 0.6, 7), ("Sharpness", 0.6, 5)),
    (("Color", 0.7, 7), ("TranslateX", 0.5, 8)),
    (("Equalize", 0.3, 7), ("AutoContrast", 0.4, 8)),
    (("TranslateY", 0.4, 3), ("Sharpness", 0.2, 6)),
    (("Brightness", 0.9, 6), ("Color", 0.2, 8)),
    (("Solarize", 0.5, 2), ("Invert", 0.0, 3)),
    (("Equalize", 0.2, 0), ("AutoContrast", 0.6, 0)),
    (("Equalize", 0.2, 8), ("Equalize", 0.6, 4)),
    (("Color", 0.9, 9), ("Equalize", 0.6, 6)),
    (("AutoContrast", 0.8, 4), ("Solarize", 0.2, 8)),
    (("Brightness", 0.1, 3), ("Color", 0.7, 0)),
    (("Solarize", 0.4, 5), ("AutoContrast", 0.9, 3)),
    (("TranslateY", 0.9, 9), ("TranslateY", 0.7, 9)),
    (("AutoContrast", 0.9, 2), ("Solarize", 0.8, 3)),
    (("Equalize", 0.8, 8), ("Invert", 0.1, 3)),
    (("TranslateY", 0.7, 9), ("AutoContrast", 0.9, 1)),
)

AUTOAUGMENT_IMAGENET: tuple[SubPolicy, ...] = (
    (("Posterize", 0.4, 8), ("Rotate", 0.6, 9)),
    (("Solarize", 0.6, 5), ("AutoContrast", 0.6, 0)),
    (("Equalize", 0.8, 0), ("Equalize", 0.6, 0)),
    (("Posterize", 0.6, 7), ("Posterize", 0.6, 6)),
    (("Equalize", 0.4, 0), ("Solarize", 0.2, 4)),
    (("Equalize", 0.4, 0), ("Rotate", 0.8, 8)),
    (("Solarize", 0.6, 3), ("Equalize", 0.6, 0)),
    (("Posterize", 0.8, 5), ("Equalize", 1.0, 0)),
    (("Rotate", 0.2, 3), ("Solarize", 0.6, 8)),
    (("Equalize", 0.6, 0), ("Posterize", 0.4, 6)),
    (("Rotate", 0.8, 8), ("Color", 0.4, 0)),
    (("Rotate", 0.4, 9), ("Equalize", 0.6, 0)),
    (("Equalize", 0.0, 0), ("Equalize", 0.8, 0)),
    (("Invert", 0.6, 0), ("Equalize", 1.0, 0)),
    (("Color", 0.6, 4), ("Contrast", 1.0, 8)),
    (("Rotate", 0.8, 8), ("Color", 1.0, 2)),
    (("Color", 0.8, 8), ("Solarize", 0.8, 7)),
    (("Sharpness", 0.4, 7), ("Invert", 0.6, 0)),
    (("ShearX", 0.6, 5), ("Equalize", 1.0, 0)),
    (("Color", 0.4, 0), ("Equalize", 0.6, 0)),
    (("Equalize", 0.4, 0), ("Solarize", 0.2, 4)),
    (("Solarize", 0.6, 5), ("AutoContrast", 0.6, 0)),
    (("Invert", 0.6, 0), ("Equalize", 1.0, 0)),
    (("Color", 0.6, 4), ("Contrast", 1.0, 8)),
    (("Equalize", 0.8, 0), ("Equalize", 0.6, 0)),
)

AUTOAUGMENT = {"cifar": AUTOAUGMENT_CIFAR, "imagenet": AUTOAUGMENT_IMAGENET}

RANDAUGMENT = (
    "Identity",
    "AutoContrast",
    "Equalize",
    "Rotate",
    "Solarize",
    "Color",
    "Posterize",
    "Contrast",
    "Brightness",
    "Sharpness",
    "ShearX",
    "ShearY",
    "TranslateX",
    "TranslateY",
)


@dataclass(frozen=True)
class Policy:
    """Sub-policies to draw from, uniformly and anew for each image and each of `repeats` rounds."""

    operations: Int64[Tensor, "s d"]
    probabilities: Float32[Tensor, "s d"]
    values: Float64[Tensor, "s d"]
    signed: Bool[Tensor, "s d"]
    repeats: int = 1


def convert_level(operation: str, level: int | float, size: tuple[int, int]) -> int | float:
    """Convert a level to pixels, degrees, factor, threshold or bits, for (h, w) pixels."""
    share = level / 10
    height, width = size
    match operation:
        case "ShearX" | "ShearY":
            return 0.3 * share
        case "TranslateX":
            return int(share * 10 * width / 32)
        case "TranslateY":
            return int(share * 10 * height / 32)
        case "Rotate":
            return int(share * 30)
        case "Solarize":
            return max(256 - int(share * 256), 0)
        case "Posterize":
            return max(4 - int(share * 4), 1)
        case "Contrast" | "Color" | "Brightness" | "Sharpness":
            return 0.1 + 1.8 * share
        case "Cutout":
            return int(share * 20 * min(size) / 32)
        case "Identity" | "AutoContrast" | "Invert" | "Equalize":
            return 0.0
    raise ValueError(f"augmentation operation {operation!r}; must be one of {', '.join(NAMES)}")


def build_policy(
    sub_policies: Sequence[SubPolicy], *, size: tuple[int, int], repeats: int = 1
) -> Policy:
    """Build a policy of tensors from sub-policies, for images of `size` = (h, w) pixels.

    Raises:
        ValueError: an unknown operation, a probability outside 0..1, or a level outside 0..30.
    """
    longest = max(len(sub) for sub in sub_policies)
    sub_policies = [[*sub, *[NOTHING] * (longest - len(sub))] for sub in sub_policies]
    for name, probability, level in (step for sub in sub_policies for step in sub):
        if not (0 <= probability <= 1 and 0 <= level <= 30):
            raise ValueError(
                f"{name}: probability = {probability}, level = {level}; must be 0..1 and 0..30"
            )
    values = [[convert_level(name, level, size) for name, _, level in sub] for sub in sub_policies]
    return Policy(
        operations=torch.tensor(
            [[NAMES.index(name) for name, _, _ in sub] for sub in sub_policies]
        ),
        probabilities=torch.tensor([[float(p) for _, p, _ in sub] for sub in sub_policies]),
        values=torch.tensor(values, dtype=torch.float64),
        signed=torch.tensor([[name in SIGNED for name, _, _ in sub] for sub in sub_policies]),
        repeats=repeats,
    )


def build_autoaugment(size: tuple[int, int], published: str = "cifar") -> Policy:
    """Build the 25 sub-policies published for CIFAR or for ImageNet (Cubuk et al., 2019, appendix).

    Both use the ranges above; the ImageNet policy's Posterize keeps fewer bits than the appendix's.
    """
    if published not in AUTOAUGMENT:
        allowed = ", ".join(AUTOAUGMENT)
        raise ValueError(f"classifiers.aa = {published}; must be one of {allowed}")
    return build_policy(AUTOAUGMENT[published], size=size)


def build_randaugment(n: int, m: int | float, size: tuple[int, int]) -> Policy:
    """Build RandAugment: `n` operations of 14, in a row, at level `m` (Cubuk et al., 2020).

    Raises:
        ValueError: n < 1, or m is outside 0..30.
    """
    if n < 1 or not 0 <= m <= 30:
        raise ValueError(f"classifiers.ra: n = {n}, m = {m}; must be n >= 1 and 0 <= m <= 30")
    return build_policy([[(name, 1.0, m)] for name in RANDAUGMENT], size=size, repeats=n)
