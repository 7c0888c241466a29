"""Tiny raw data sets that tests write: IDX files and image folders."""

import gzip
import io
from pathlib import Path

import numpy as np
from mvc import sources
from PIL import Image

FASHION = {
    "loader": "fashion_mnist",
    "path": None,
    "labels_per_class": 2,
    "validation_per_class": 3,
    "extra_per_class": 1,
    "test_per_class": 2,
    "judge_per_class": 4,
    "unreadable": "error",
    "seed": 0,
}
FOLDER = {
    "loader": "imagefolder",
    "path": None,
    "test_fraction": 0.25,
    "validation_fraction": 0.25,
    "labels_per_class": None,
    "unreadable": "error",
    "seed": 0,
}


def idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + array.astype(np.uint8).tobytes()


def fashion(folder: Path, *, n_train: int = 200, n_test: int = 60, zipped: bool = True) -> Path:
    """Four files of distinct 5 x 4 images whose labels run 0..9 again and again."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(1).integers(0, 256, (n_train + n_test, 5, 4))
    labels = np.arange(n_train + n_test) % 10
    arrays = (pixels[:n_train], labels[:n_train], pixels[n_train:], labels[n_train:])
    for name, array in zip(sources.FILES.values(), arrays, strict=True):
        if zipped:
            (folder / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
        else:
            (folder / name).write_bytes(idx(array))
    return folder


def picture(
    seed: int, *, suffix: str = "PNG", size: tuple[int, int] = (12, 10), **options
) -> bytes:
    """A file of noise, different for each seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format=suffix, **options)
    return buffer.getvalue()


def put(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def folder(root: Path, counts: dict[str, int], *, start: int = 0) -> Path:
    """Folders of distinct PNGs: name (may hold slashes) to number of images."""
    seed = start
    for name, n in counts.items():
        for i in range(n):
            put(root / name / f"{i}.png", picture(seed))
            seed += 1
    return root
