"""scikit-learn's handwritten digits."""

from pathlib import Path

import numpy as np

from mvc.images.records import Loaded, array_records

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def digits(cfg: dict, *, key: str, data: Path, threads: int) -> Loaded:
    """scikit-learn's handwritten digits: 1,797 grey images of 8 x 8 pixels, which come with it."""
    from sklearn.datasets import load_digits

    if cfg["path"]:
        raise ValueError(f"{key}.path = {cfg['path']}; must be null: the digits come by themselves")
    found = load_digits()
    pixels = np.round(found.images * (255 / 16)).astype(np.uint8)
    records = array_records(pixels, found.target, name="digits", part="all")
    report = {"loader": "digits", "source": "scikit-learn", "found": len(records), "warnings": []}
    return DIGITS, records, report
