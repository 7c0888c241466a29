"""Finding images in image grids."""

import numpy as np


def place(drawing, image, scale):
    """Find where an enlarged image stands in an image grid: left, top; None if nowhere."""
    big = np.asarray(image).repeat(scale, 0).repeat(scale, 1)
    pixels = np.asarray(drawing)
    corners = (pixels[: -big.shape[0] + 1, : -big.shape[1] + 1] == big[0, 0]).all(2)
    for y, x in np.argwhere(corners):
        if (pixels[y : y + big.shape[0], x : x + big.shape[1]] == big).all():
            return int(x), int(y)
    return None
