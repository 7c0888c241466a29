"""CIFAR-10 and CIFAR-100 (fine labels), in their Python or their binary form.

Each image is 3,072 bytes: 32 x 32 red, then green, then blue, row by row. The Python form is a
pickle, which can call any function. Here only three names are known, and each is replaced by our
own code.
"""

import pickle
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from mvc.images import archives, downloads, folders
from mvc.images.items import Loaded
from mvc.images.loaders.arrays import make_items

SIDE = 32  # pixels


class Layout(NamedTuple):
    """The files of one data set in one form."""

    train: tuple[str, ...]
    test: str
    names: str
    key: str  # of the labels in a batch, then of the names
    label_bytes: int = 0  # before each image of the binary form; the last is the label


BATCHES = tuple(f"data_batch_{i}" for i in range(1, 6))
LAYOUTS = {
    "cifar10": (
        Layout(BATCHES, "test_batch", "batches.meta", "labels label_names"),
        Layout(tuple(f"{b}.bin" for b in BATCHES), "test_batch.bin", "batches.meta.txt", "", 1),
    ),
    "cifar100": (
        Layout(("train",), "test", "meta", "fine_labels fine_label_names"),
        Layout(("train.bin",), "test.bin", "fine_label_names.txt", "", 2),
    ),
}


def load_cifar10(cfg: dict, *, key: str, data: Path, threads: int) -> Loaded:
    """Load CIFAR-10: its training batches and its test batch."""
    return _load("cifar10", cfg, key, data)


def load_cifar100(cfg: dict, *, key: str, data: Path, threads: int) -> Loaded:
    """Load CIFAR-100, under its hundred fine classes."""
    return _load("cifar100", cfg, key, data)


def unpickle_batch(path: Path) -> dict:
    """Read the dict in a batch of the Python form: lists, numbers, text, and arrays of bytes.

    Raises:
        ValueError: the pickle is damaged, or names what these batches do not contain.
    """
    try:
        with open(path, "rb") as file:
            value = _Batch(file, encoding="bytes").load()
    except Exception as error:  # damaged pickles raise nearly anything
        raise ValueError(f"{path} is not a batch of CIFAR: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path} is not a batch of CIFAR: it holds no dict")
    return {_decode_text(key): item for key, item in value.items()}


def _load(loader: str, cfg: dict, key: str, data: Path) -> Loaded:
    path = downloads.locate_source(cfg["path"], loader, data=data, key=f"{key}.path")
    root = archives.unpack(path, data)
    for layout in LAYOUTS[loader]:
        folder = folders.find_holder(root, *layout.train, layout.test, layout.names)
        if folder is not None:
            break
    else:
        forms = " or ".join(", ".join((*x.train, x.test, x.names)) for x in LAYOUTS[loader])
        raise ValueError(f"{key}.path = {path}: must hold all of the files {forms}")
    read = _read_binary if layout.label_bytes else _read_python
    classes = _read_classes(folder / layout.names, layout)
    items = []
    for part, files in (("train", layout.train), ("test", (layout.test,))):
        batches = [read(folder / name, layout) for name in files]
        pixels = np.concatenate([p for p, _ in batches])
        labels = np.concatenate([v for _, v in batches])
        if len(labels) and labels.max() >= len(classes):
            raise ValueError(f"{folder}: {part} label {labels.max()}; must be < {len(classes)}")
        items += make_items(_arrange_pixels(pixels), labels, classes, name=part, part=part)
    report = {"loader": loader, "source": str(path), "found": len(items), "warnings": []}
    return classes, items, report


def _read_python(path: Path, layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    batch = unpickle_batch(path)
    key = layout.key.split()[0]
    pixels, labels = batch.get("data"), batch.get(key)
    pixels = pixels.values if isinstance(pixels, _Array) else None
    if pixels is None or not isinstance(labels, list):
        raise ValueError(f"{path} has no data or no {key}; it has {', '.join(map(str, batch))}")
    whole = all(isinstance(label, int) and 0 <= label < 256 for label in labels)
    if not whole or pixels.shape != (len(labels), 3 * SIDE**2):
        raise ValueError(f"{path}: pixels {pixels.shape} and {len(labels)} labels do not fit")
    return pixels, np.array(labels, np.uint8)


def _read_binary(path: Path, layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    values = np.fromfile(path, np.uint8)
    row = layout.label_bytes + 3 * SIDE**2
    if len(values) % row:
        raise ValueError(f"{path} has {len(values):,} bytes; must be a multiple of {row:,}")
    values = values.reshape(-1, row)
    return values[:, layout.label_bytes :], values[:, layout.label_bytes - 1]


def _read_classes(path: Path, layout: Layout) -> tuple[str, ...]:
    """Read the classes, in words: `maple_tree` is a maple tree."""
    if layout.label_bytes:
        names = path.read_text(encoding="utf-8").split()
    else:
        names = unpickle_batch(path).get(layout.key.split()[1], [])
    return tuple(_decode_text(name).replace("_", " ") for name in names)


def _arrange_pixels(rows: UInt8[np.ndarray, "n bytes"]) -> UInt8[np.ndarray, "n 32 32 3"]:
    planes = rows.reshape(-1, 3, SIDE, SIDE)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1))


def _decode_text(value: object) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


class _Dtype:
    """Stand-in for numpy's dtype in a pickle."""

    def __init__(self, kind: bytes | str, *_: object):
        if _decode_text(kind) != "u1":
            raise pickle.UnpicklingError(
                f"an array of {_decode_text(kind)}; only bytes (u1) are read"
            )

    def __setstate__(self, state: tuple) -> None:
        pass  # byte order and the like, which bytes do not have


class _Array:
    """Stand-in for numpy's array in a pickle, with its state checked by numpy's own rules."""

    values: np.ndarray | None = None

    def __setstate__(self, state: tuple) -> None:
        _, shape, _, fortran, raw = state
        raw = raw.encode("latin1") if isinstance(raw, str) else raw
        order = "F" if fortran else "C"
        self.values = np.frombuffer(raw, np.uint8).reshape(shape, order=order)


class _Batch(pickle.Unpickler):
    """Unpickler that reads what a batch of CIFAR holds and refuses every other name."""

    KNOWN = {
        ("numpy.core.multiarray", "_reconstruct"): lambda *_: _Array(),
        ("numpy._core.multiarray", "_reconstruct"): lambda *_: _Array(),
        ("numpy", "ndarray"): _Array,
        ("numpy", "dtype"): _Dtype,
    }

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in self.KNOWN:
            raise pickle.UnpicklingError(f"it calls {module}.{name}, which no batch does; refused")
        return self.KNOWN[module, name]
