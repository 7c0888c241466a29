"""Augmentation of batches of uint8 images in memory, with random numbers for each image.

Order: policy, random crop, flip, normalise, Cutout. Images of a batch that draw the same operation
are treated in one call. Every operation draws the same number of random numbers, on the generator's
device, so that equal seeds give equal images on any device.
Axes: n images, 3 channels, h and w pixels.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float32, Float64, Int64, Num, UInt8
from torch import Tensor

from mvc.training.autoaugment import NAMES, Policy
from mvc.training.operations import OPERATIONS, expand_fill

Images = UInt8[Tensor, "n 3 h w"]
Fill = UInt8[Tensor, " 3"]
CUTOUT = NAMES.index("Cutout")


def apply_policy(
    images: Images, policy: Policy, *, fill: Fill, generator: torch.Generator
) -> Images:
    """Send each image through random sub-policies, each operation with its probability."""
    n, device = len(images), generator.device
    steps = policy.operations.shape[1]
    images = images.clone()
    for _ in range(policy.repeats):
        sub_policies = torch.randint(
            len(policy.operations), (n,), generator=generator, device=device
        ).cpu()
        chance, sign, row, column = torch.rand(
            4, n, steps, generator=generator, device=device
        ).cpu()
        negative = policy.signed[sub_policies] & (sign < 0.5)
        values = torch.where(negative, -policy.values[sub_policies], policy.values[sub_policies])
        operations = policy.operations[sub_policies] * (chance < policy.probabilities[sub_policies])
        centres = torch.stack((row, column), 2)
        for step in range(steps):
            _apply(images, operations[:, step], values[:, step], centres[:, step], fill)
    return images


def _apply(
    images: Images,
    operations: Int64[Tensor, " n"],
    values: Float64[Tensor, " n"],
    centres: Float32[Tensor, "n 2"],
    fill: Fill,
) -> None:
    """Apply one operation to each image, in place; `centres` in 0..1 place Cutout's squares."""
    for number in set(operations.tolist()) - {0}:  # 0: Identity
        rows = (operations == number).nonzero()[:, 0]
        chosen, amounts = images[rows], values[rows].to(images.device)
        if number == CUTOUT:
            hole = mark_squares(chosen, centres[rows], amounts)
            images[rows] = torch.where(hole, expand_fill(fill, images), chosen)
        else:
            images[rows] = OPERATIONS[NAMES[number]](chosen, amounts, fill)


def crop_and_flip(images: Images, *, pad: int, flip: bool, generator: torch.Generator) -> Images:
    """Pad with `pad` black pixels, crop at random to the old size, mirror half of the images."""
    n, _, h, w = images.shape
    device = generator.device
    across, down = torch.randint(2 * pad + 1, (2, n), generator=generator, device=device)
    mirrored = torch.rand(n, generator=generator, device=device) < (0.5 if flip else 0)
    windows = F.pad(images, (pad, pad, pad, pad)).unfold(2, h, 1).unfold(3, w, 1)
    rows = torch.arange(n, device=images.device)
    cropped = windows[rows, :, down.to(images.device), across.to(images.device)]
    return torch.where(mirrored.to(images.device)[:, None, None, None], cropped.flip(3), cropped)


def normalise(
    images: Images, *, mean: Float[Tensor, " 3"], std: Float[Tensor, " 3"]
) -> Float32[Tensor, "n 3 h w"]:
    """Normalise each channel, (x - mean) / std, with both in 0..255; channels last in memory."""
    scale = (1 / std)[:, None, None]
    floats = images.to(torch.float32, memory_format=torch.channels_last)
    return floats.mul_(scale).sub_(mean[:, None, None] * scale)


def mark_squares(
    images: Num[Tensor, "n 3 h w"], centres: Float32[Tensor, "n 2"], sizes: Num[Tensor, " n"]
) -> Bool[Tensor, "n 1 h w"]:
    """Mark a square of `sizes` pixels about the pixel at `centres`, cut off at the border.

    Args:
        centres: row and column in 0..1 of the image.
    """
    _, _, h, w = images.shape
    centres, half = centres.to(images.device), sizes.to(images.device)[:, None] // 2

    def cover(centre: Float32[Tensor, " n"], length: int) -> Bool[Tensor, "n length"]:
        middle = (centre * length).floor()[:, None]
        place = torch.arange(length, device=images.device)
        return (place >= middle - half) & (place < middle + half)

    return (cover(centres[:, 0], h)[:, :, None] & cover(centres[:, 1], w)[:, None, :])[:, None]


def cut_out(
    images: Float32[Tensor, "n 3 h w"], size: int, *, generator: torch.Generator
) -> Float32[Tensor, "n 3 h w"]:
    """Zero a square of `size` pixels at a random place in each image (DeVries & Taylor, 2017)."""
    centres = torch.rand(len(images), 2, generator=generator, device=generator.device)
    sizes = torch.full((len(images),), size)
    return images.masked_fill_(mark_squares(images, centres, sizes), 0)


def augment(
    images: Images,
    *,
    policy: Policy | None,
    pad: int,
    flip: bool,
    cutout_size: int,
    mean: Float[Tensor, " 3"],
    std: Float[Tensor, " 3"],
    fill: Fill,
    generator: torch.Generator,
) -> Float32[Tensor, "n 3 h w"]:
    """Augment raw images to a training batch: policy, crop, flip, normalise, Cutout.

    Args:
        pad: pixels of black around the image before the random crop, 0 for none.
        cutout_size: side of Cutout's square in pixels, 0 for none.
        fill: colour of the pixels that geometric operations of the policy uncover.
    """
    if policy is not None:
        images = apply_policy(images, policy, fill=fill, generator=generator)
    if pad or flip:
        images = crop_and_flip(images, pad=pad, flip=flip, generator=generator)
    floats = normalise(images, mean=mean, std=std)
    return cut_out(floats, cutout_size, generator=generator) if cutout_size else floats
