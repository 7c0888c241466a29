"""Oblong images as squares, as `images.fit` of the data set says. Imports no torch.

crop    the largest centred square (the centre crop after a resize of the shorter side)
pad     the whole image, centred on black (torchvision's and timm's default fill)
squash  the whole image, its sides resized to the same length
"""

from PIL import Image

from mvc.core.decoding import decode

FITS = ("crop", "pad", "squash")
MOST = 1024  # pixels of a side of `decode_square`, which a 1 x 60,000 image would exceed


def fit_square(image: Image.Image, size: int, fit: str) -> Image.Image:
    """Fit an image to `size` x `size` pixels: bicubic, antialiased on the way down.

    A square image is only resized, whatever `fit` says. No intermediate is larger than the image
    or the result, however oblong it is.

    Raises:
        ValueError: `fit` is none of `FITS`.
    """
    if fit not in FITS:
        raise ValueError(f"images.fit = {fit!r}; must be one of {', '.join(FITS)}")
    width, height = image.size
    if fit == "squash" or width == height:
        return image.resize((size, size), Image.Resampling.BICUBIC)
    if fit == "crop":
        return image.resize((size, size), Image.Resampling.BICUBIC, box=find_crop(width, height))
    scale = size / max(width, height)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    square = Image.new("RGB", (size, size))
    place = ((size - inner[0]) // 2, (size - inner[1]) // 2)
    square.paste(image.resize(inner, Image.Resampling.BICUBIC), place)
    return square


def find_crop(width: int, height: int) -> tuple[int, int, int, int]:
    """Find the largest centred square: left, top, right, bottom."""
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


def find_side(width: int, height: int, fit: str) -> int:
    """Find the side at which an image as a square keeps its own scale (squash: the larger one)."""
    return min(width, height) if fit == "crop" else max(width, height)


def decode_square(data: bytes, fit: str) -> Image.Image:
    """Decode an image file; make an oblong image square, near its own scale. See `decode`."""
    image = decode(data)
    if image.width == image.height:
        return image
    return fit_square(image, min(find_side(*image.size, fit), MOST), fit)
