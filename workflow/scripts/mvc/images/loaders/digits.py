"""scikit-learn's handwritten digits."""

from pathlib import Path

import numpy as np

from mvc.images.items import Loaded
from mvc.images.loaders.arrays import make_items

CLASSES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def load_digits(cfg: dict, *, key: str, data: Path, threads: int) -> Loaded:
    """Load scikit-learn's digits: 1,797 grey images of 8 x 8 pixels, which are part of it."""
    from sklearn import datasets

    if cfg["path"]:
        raise ValueError(f"{key}.path = {cfg['path']}; must be null: scikit-learn has the digits")
    found = datasets.load_digits()
    pixels = np.round(found.images * (255 / 16)).astype(np.uint8)
    items = make_items(pixels, found.target, CLASSES, name="digits", part="all")
    report = {"loader": "digits", "source": "scikit-learn", "found": len(items), "warnings": []}
    return CLASSES, items, report
