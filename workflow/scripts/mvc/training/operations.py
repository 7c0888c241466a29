"""The operations of AutoAugment and RandAugment, on batches of uint8 images, one value per image.

Each equals Pillow's operation, which the reference implementation of both papers calls, to the
last bit: the same integer and rounding rules, nearest-neighbour geometry in the same 16.16 fixed
point. All arithmetic is exact or in a fixed order, so the batch size changes nothing.
Axes: n images, 3 channels, h and w pixels.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float64, Int, UInt8
from torch import Tensor

Images = UInt8[Tensor, "n 3 h w"]
Values = Float64[Tensor, " n"]
Fill = UInt8[Tensor, " 3"]


def warp(
    images: Images, matrices: Float64[Tensor, "n 6"], fill: Fill | tuple[int, int, int] = (0, 0, 0)
) -> Images:
    """Output pixel (x, y) shows input (ax + by + c, dx + ey + f), nearest neighbour.

    Args:
        matrices: a, b, c, d, e, f of each image, in pixels, with pixel centres at half integers.
        fill: colour of pixels outside the input.
    """
    _, _, h, w = images.shape
    a, b, c, d, e, f = matrices.unbind(1)
    fixed = torch.stack((a, b, c + (a + b) / 2, d, e, f + (d + e) / 2), 1)
    a, b, c, d, e, f = (fixed * 65536 + 0.5).floor().long()[:, :, None, None].unbind(1)
    x = torch.arange(w, device=images.device)
    y = torch.arange(h, device=images.device)[:, None]
    column, row = (a * x + b * y + c) >> 16, (d * x + e * y + f) >> 16
    inside = (column >= 0) & (column < w) & (row >= 0) & (row < h)
    source = (
        (row.clamp(0, h - 1) * w + column.clamp(0, w - 1)).flatten(1)[:, None].expand(-1, 3, -1)
    )
    moved = images.flatten(2).gather(2, source).view_as(images)
    return torch.where(inside[:, None], moved, expand_fill(fill, images))


def expand_fill(fill: Fill | tuple[int, int, int], images: Images) -> UInt8[Tensor, "1 3 1 1"]:
    """`fill` as a one-pixel image on the device of `images`."""
    return torch.as_tensor(fill, dtype=torch.uint8, device=images.device)[None, :, None, None]


def _build_matrices(values: Values, **columns: Tensor) -> Float64[Tensor, "n 6"]:
    """Identity matrices with some of the columns a to f replaced."""
    one, zero = torch.ones_like(values), torch.zeros_like(values)
    identity = {"a": one, "b": zero, "c": zero, "d": zero, "e": one, "f": zero}
    return torch.stack(list((identity | columns).values()), 1)


def shear_x(images: Images, values: Values, fill: Fill) -> Images:
    """Shift row y by `value` x y to the left (about the upper left corner, as the reference)."""
    return warp(images, _build_matrices(values, b=values), fill)


def shear_y(images: Images, values: Values, fill: Fill) -> Images:
    """Shift column x by `value` x x upwards (about the upper left corner, as the reference)."""
    return warp(images, _build_matrices(values, d=values), fill)


def translate_x(images: Images, values: Values, fill: Fill) -> Images:
    """Shift to the left by `value` pixels."""
    return warp(images, _build_matrices(values, c=values), fill)


def translate_y(images: Images, values: Values, fill: Fill) -> Images:
    """Shift upwards by `value` pixels."""
    return warp(images, _build_matrices(values, f=values), fill)


def rotate(images: Images, values: Values, fill: Fill) -> Images:
    """Turn counter-clockwise by `value` degrees about the centre."""
    _, _, h, w = images.shape
    angle = -values * (math.pi / 180)
    cos, sin = _round15(angle.cos()), _round15(angle.sin())
    x, y = w / 2, h / 2
    matrices = _build_matrices(
        values, a=cos, b=sin, c=x - cos * x - sin * y, d=-sin, e=cos, f=y + sin * x - cos * y
    )
    return warp(images, matrices, fill)


def _round15(values: Values) -> Values:
    """Round to 15 digits: cos 90 degrees becomes zero."""
    return (values * 1e15).round() / 1e15


def stretch_contrast(images: Images, values: Values, fill: Fill) -> Images:
    """Stretch each channel to 0..255; a channel of one value stays."""
    low, high = (
        images.amin((2, 3), keepdim=True).double(),
        images.amax((2, 3), keepdim=True).double(),
    )
    scale = 255 / (high - low).clamp(min=1)
    stretched = (images * scale - low * scale).clamp(0, 255).byte()
    return torch.where(high > low, stretched, images)


def equalize(images: Images, values: Values, fill: Fill) -> Images:
    """Flatten each channel's histogram; a channel of one value stays."""
    flat = images.flatten(2).flatten(0, 1).long()  # one row per channel
    rows = torch.arange(len(flat), device=images.device)[:, None] * 256
    counts = torch.bincount((flat + rows).flatten(), minlength=256 * len(flat)).view(-1, 256)
    last = counts.gather(1, flat.amax(1, keepdim=True))
    step = (flat.shape[1] - last) // 255
    below = counts.cumsum(1) - counts
    table = ((step // 2 + below) // step.clamp(min=1)).clamp(max=255).byte()
    return torch.where(step > 0, table.gather(1, flat), flat.byte()).view_as(images)


def invert(images: Images, values: Values, fill: Fill) -> Images:
    """Invert the image: 255 - x."""
    return 255 - images


def solarize(images: Images, values: Values, fill: Fill) -> Images:
    """Invert the pixels at or above the threshold `value`."""
    return torch.where(images < values[:, None, None, None], images, 255 - images)


def posterize(images: Images, values: Values, fill: Fill) -> Images:
    """Keep the `value` highest bits, 1 to 8."""
    mask = 256 - 2 ** (8 - values.long())
    return images & mask.byte()[:, None, None, None]


def compute_luma(images: Images) -> Int[Tensor, "n 1 h w"]:
    """Pillow's greyscale: 0.299 R + 0.587 G + 0.114 B in 16-bit fixed point."""
    red, green, blue = images.int().unbind(1)
    return ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16)[:, None]


def blend(degenerate: Int[Tensor, "#n #c #h #w"], images: Images, values: Values) -> Images:
    """`degenerate` + value x (images - degenerate), clamped to 0..255, truncated as in Pillow."""
    difference = (images.int() - degenerate).float()
    scaled = values.float()[:, None, None, None] * difference
    return (scaled + degenerate).clamp(0, 255).byte()


def adjust_color(images: Images, values: Values, fill: Fill) -> Images:
    """Adjust saturation: 0 is grey, 1 unchanged."""
    return blend(compute_luma(images), images, values)


def adjust_contrast(images: Images, values: Values, fill: Fill) -> Images:
    """Adjust contrast about the mean grey: 0 is uniform, 1 unchanged."""
    mean = (compute_luma(images).double().mean((1, 2, 3), keepdim=True) + 0.5).int()
    return blend(mean, images, values)


def adjust_brightness(images: Images, values: Values, fill: Fill) -> Images:
    """Adjust brightness: 0 is black, 1 unchanged."""
    return blend(torch.zeros_like(images[:1, :1, :1, :1]).int(), images, values)


def adjust_sharpness(images: Images, values: Values, fill: Fill) -> Images:
    """Adjust sharpness: 0 smoothed by (1 1 1, 1 5 1, 1 1 1) / 13, 1 unchanged; border kept."""
    whole = images.int()
    rows = whole[:, :, :-2] + whole[:, :, 1:-1] + whole[:, :, 2:]
    box = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]
    smooth = whole.clone()
    smooth[:, :, 1:-1, 1:-1] = (2 * (box + 4 * whole[:, :, 1:-1, 1:-1]) + 13) // 26  # rounded
    return blend(smooth, images, values)


OPERATIONS: dict[str, Callable[[Images, Values, Fill], Images]] = {
    "ShearX": shear_x,
    "ShearY": shear_y,
    "TranslateX": translate_x,
    "TranslateY": translate_y,
    "Rotate": rotate,
    "AutoContrast": stretch_contrast,
    "Invert": invert,
    "Equalize": equalize,
    "Solarize": solarize,
    "Posterize": posterize,
    "Contrast": adjust_contrast,
    "Color": adjust_color,
    "Brightness": adjust_brightness,
    "Sharpness": adjust_sharpness,
}
