"""Rendering of greyscale garments in three styles: coloured on a ground, photograph, plain.

Axes: n images, c = 3 colour channels, h = w = 32 pixels. All values in [0, 1].
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

COLOURS = {
    "red": (0.86, 0.12, 0.14),
    "orange": (0.96, 0.52, 0.10),
    "yellow": (0.97, 0.86, 0.18),
    "green": (0.16, 0.62, 0.24),
    "teal": (0.10, 0.64, 0.64),
    "blue": (0.14, 0.30, 0.88),
    "purple": (0.52, 0.20, 0.76),
    "pink": (0.97, 0.52, 0.72),
    "brown": (0.52, 0.33, 0.18),
    "grey": (0.58, 0.58, 0.58),
    "white": (0.97, 0.97, 0.97),
}
GROUNDS = ("plain", "striped", "dotted", "gradient", "checkered", "grainy")
STYLES = ("coloured", "photo", "plain")


def enlarge(images: Float[Tensor, "n 28 28"], size: int) -> Float[Tensor, "n h w"]:
    """Enlarge by bicubic interpolation with Pillow's kernel, clamped to [0, 1]."""
    large = F.interpolate(images[:, None], (size, size), mode="bicubic", antialias=True)
    return large[:, 0].clamp(0, 1)


def move(
    images: Float[Tensor, "n h w"],
    *,
    flip: Float[Tensor, " n"],
    scale: Float[Tensor, " n"],
    shift: Float[Tensor, "n 2"],
) -> Float[Tensor, "n h w"]:
    """Flip (-1 or 1), scale and shift (pixels to the left and up); new pixels are black."""
    theta = torch.zeros(len(images), 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = flip / scale, 1 / scale
    theta[:, :, 2] = shift * 2 / images.shape[-1]
    grid = F.affine_grid(theta, [len(images), 1, *images.shape[1:]], align_corners=False)
    moved = F.grid_sample(images[:, None], grid, mode="bicubic", align_corners=False)
    return moved[:, 0].clamp(0, 1)


def draw_silhouette(images: Float[Tensor, "n h w"]) -> Float[Tensor, "n h w"]:
    """Draw a soft mask of each garment: its non-black pixels, small holes closed, edges soft."""
    solid = (images * 10).clamp(0, 1)[:, None]
    grown = F.max_pool2d(solid, 3, stride=1, padding=1)
    closed = -F.max_pool2d(-grown, 3, stride=1, padding=1)
    return torch.maximum(closed, solid)[:, 0]


def draw_pattern(kind: Int[Tensor, " n"], *, size: int, generator: torch.Generator):
    """Draw ground patterns in [0, 1], by index into GROUNDS: `Float[Tensor, "n h w"]`."""
    n = len(kind)
    rand = torch.rand(n, 4, 1, 1, generator=generator)
    axis = torch.arange(size, dtype=torch.float32)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    angle = (rand[:, 0] * 4).floor() * math.pi / 4
    along = x * torch.cos(angle) + y * torch.sin(angle)
    period = 4 + (rand[:, 1] * 3).floor() * 2  # 4, 6 or 8 pixels
    phase = rand[:, 2] * period
    wave = torch.sin(2 * math.pi * (along + phase) / period)
    square = torch.sin(2 * math.pi * (x + phase) / (2 * period)) * torch.sin(
        2 * math.pi * (y + phase) / (2 * period)
    )
    dots = torch.sin(math.pi * (x + phase) / period) ** 2 * (
        torch.sin(math.pi * (y + phase) / period) ** 2
    )
    turned = (along - along.amin((1, 2), keepdim=True)) / (
        along.amax((1, 2), keepdim=True) - along.amin((1, 2), keepdim=True)
    )
    grain = torch.rand(n, size, size, generator=generator)
    drawn = torch.stack(
        [
            torch.zeros(n, size, size),
            (wave * 4).clamp(-1, 1) / 2 + 0.5,
            ((dots - 0.4) * 4).clamp(0, 1),
            turned,
            (square * 4).clamp(-1, 1) / 2 + 0.5,
            grain * 0.35,
        ]
    )
    return drawn[kind, torch.arange(n)]


def compose(
    garments: Float[Tensor, "n h w"],
    *,
    cloth: Float[Tensor, "n 3"],
    ground: Float[Tensor, "n 3 h w"],
) -> Float[Tensor, "n 3 h w"]:
    """Compose garments, dyed in the cloth's colour with their shading, on their grounds."""
    shade = (0.12 + 0.88 * garments)[:, None]
    dyed = shade * cloth[:, :, None, None] + 0.25 * shade**4 * (1 - cloth[:, :, None, None])
    mask = draw_silhouette(garments)[:, None]
    return (mask * dyed + (1 - mask) * ground).clamp(0, 1)
