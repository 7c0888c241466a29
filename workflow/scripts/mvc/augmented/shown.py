"""Image files as the pipeline sees them: upright, opaque, 8 bits, in a format of ImageFolder's."""

import io

import numpy as np
from PIL import Image

from mvc.core.decoding import FORMATS, encode_png, examine

# Suffixes by format that ImageFolder lists; files of other formats are written as PNG.
SUFFIXES = {"JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "BMP": ".bmp", "WEBP": ".webp"}
SUFFIXES |= {"PPM": ".ppm"}


def convert_shown(data: bytes) -> tuple[bytes, str]:
    """Convert an image file to what the pipeline sees of it, if readers would not all show that.

    A file that every reader shows with the pixels of `decode`, upright, opaque, grey or RGB at 8
    bits, keeps its bytes; others become PNG, grey where the picture is grey.

    Returns:
        The bytes, and the suffix of their format.
    """
    seen, notes, _ = examine(data)
    with Image.open(io.BytesIO(data), formats=(*FORMATS, "MPO")) as image:
        suffix = SUFFIXES.get(image.format)
        plain = suffix and not notes and image.mode in ("L", "RGB")
        if plain and image.size == seen.size and image.convert("RGB").tobytes() == seen.tobytes():
            return data, suffix
    pixels = np.asarray(seen)
    grey = (pixels == pixels[..., :1]).all()
    return encode_png(pixels[..., 0] if grey else pixels), ".png"
