"""Images that come as arrays: small, kept in memory, encoded as PNG when they are read."""

import functools
import hashlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Integer, UInt8

from mvc.core.decoding import encode_png
from mvc.images.items import Item


def make_items(
    images: UInt8[np.ndarray, "n h w"] | UInt8[np.ndarray, "n h w 3"],
    labels: Integer[np.ndarray, "n"],
    classes: Sequence[str],
    *,
    name: str,
    part: str,
) -> list[Item]:
    """Make items of pixels in memory, called `name/0`, `name/1`, …."""
    return [
        Item(
            f"{name}/{i}",
            classes[label],
            part,
            functools.partial(encode_png, pixels),
            pixels=hashlib.sha256(pixels.tobytes()).digest(),
        )
        for i, (pixels, label) in enumerate(zip(images, labels.tolist(), strict=True))
    ]
