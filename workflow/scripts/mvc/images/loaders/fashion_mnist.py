"""Fashion-MNIST: four sources of its files, and the reader of their format.

IDX files have a big-endian header (two zero bytes, the element type, the number of axes, the axes),
then the elements. They are plain or gzipped.
"""

import gzip
import math
import os
import shutil
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from mvc.config.catalogue import LOADERS
from mvc.images.downloads import PATIENCE, limit_waiting, make_folder_beside
from mvc.images.items import Loaded
from mvc.images.loaders.arrays import make_items

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
POOL = LOADERS["fashion_mnist"].pool
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
PACKAGE = "dataset-fashion-mnist"
FILES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}
ERRORS = (OSError, ValueError, RuntimeError, subprocess.SubprocessError)


class Fashion(NamedTuple):
    """The four arrays: n training and k test images, h x w grey pixels, labels 0..9."""

    train_images: UInt8[np.ndarray, "n h w"]
    train_labels: UInt8[np.ndarray, "n"]
    test_images: UInt8[np.ndarray, "k h w"]
    test_labels: UInt8[np.ndarray, "k"]


def load_fashion_mnist(cfg: dict, *, key: str, data: Path, threads: int) -> Loaded:
    """Load Fashion-MNIST: the last `POOL` training images, the test set, and the rest as `oracle`.

    The miniature foundation models are trained on the rest, which shares no image with the target.
    """
    arrays, source, failures = find(cfg["path"], data=data, key=f"{key}.path")
    train = make_items(
        arrays.train_images, arrays.train_labels, CLASSES, name="train", part="train"
    )
    start = max(len(train) - POOL, 0)
    items = [item._replace(part="oracle") for item in train[:start]] + train[start:]
    items += make_items(arrays.test_images, arrays.test_labels, CLASSES, name="test", part="test")
    report = {"loader": "fashion_mnist", "source": source, "tried": failures, "warnings": []}
    return CLASSES, items, report | {"found": len(items)}


def read_idx(path: str | Path) -> UInt8[np.ndarray, "..."]:
    """Read an IDX file of unsigned bytes, gzipped or not.

    Raises:
        ValueError: not such a file, or its number of elements is not that of its header.
    """
    data = Path(path).read_bytes()
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{path} is a damaged gzip file ({error})") from error
    if len(data) < 4 or data[:3] != b"\0\0\x08" or len(data) < 4 + 4 * data[3]:
        raise ValueError(f"{path} is not an IDX file of unsigned bytes")
    shape = tuple(np.frombuffer(data, ">u4", count=data[3], offset=4).tolist())
    values = np.frombuffer(data, np.uint8, offset=4 + 4 * data[3])
    if len(values) != math.prod(shape):
        raise ValueError(f"{path} has {len(values):,} elements; its header says {shape}")
    return values.reshape(shape)


def read_folder(folder: str | Path) -> Fashion:
    """Read the four files of one folder, each plain or `.gz`, and check that they fit together.

    Raises:
        FileNotFoundError: the folder or one of the files is missing; names it.
        ValueError: a file is damaged, or images and labels differ in number.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}")
    arrays = Fashion(*(read_idx(_find_file(folder, name)) for name in FILES.values()))
    for part in ("train", "test"):
        images, labels = getattr(arrays, f"{part}_images"), getattr(arrays, f"{part}_labels")
        if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
            raise ValueError(f"{folder}: {part} images {images.shape} and labels {labels.shape}")
        if len(labels) and labels.max() >= len(CLASSES):
            raise ValueError(f"{folder}: {part} label {labels.max()}; must be < {len(CLASSES)}")
    return arrays


def find(
    path: str | None, *, data: Path, key: str, sources: dict[str, Callable] | None = None
) -> tuple[Fashion, str, list[str]]:
    """Get Fashion-MNIST from the first source that has it.

    Args:
        path: a folder that the user named; then no other source is tried.
        data: the project's data folder; what is downloaded goes to its `fashion-mnist`.
        key: the config key that names `path`, for messages.
        sources: what to try, in order: name to a function that returns the folder of the files.

    Returns:
        The arrays, the name of the source, and one line for each source that failed before it.

    Raises:
        FileNotFoundError: `path` does not hold the data, or no source has it; lists why.
    """
    if path:
        try:
            return read_folder(path), f"{key} = {path}", []
        except ERRORS as error:
            raise FileNotFoundError(
                f"{key} = {path}: {error}; name a folder with {', '.join(FILES.values())} "
                "(plain or .gz), or null to have them found or downloaded"
            ) from error
    failures = []
    for name, folder in (sources or list_sources(data / "fashion-mnist")).items():
        try:
            return read_folder(folder()), name, failures
        except ERRORS as error:
            failures.append(f"{name}: {_join_lines(error)}")
            print(f"Fashion-MNIST not found: {failures[-1]}")
    tried = "".join(f"\n  {number}. {line}" for number, line in enumerate(failures, 1))
    raise FileNotFoundError(
        f"Fashion-MNIST was not found. Tried:{tried}\n"
        f"Do one of these: install the Debian package ({PACKAGE}), or connect this machine to "
        f"the network, or put {', '.join(FILES.values())} (plain or .gz) into a folder and name "
        f"it in the config as {key}"
    )


def list_sources(kept: Path) -> dict[str, Callable[[], Path]]:
    """List where to look for Fashion-MNIST, in order; `kept` is where downloads go."""
    return {
        f"Debian package {PACKAGE} ({DEBIAN})": lambda: DEBIAN,
        f"downloaded before ({kept})": lambda: kept,
        "download by torchvision": lambda: download(kept),
        f"apt-get download {PACKAGE}": lambda: unpack_package(kept),
    }


def download(target: Path) -> Path:
    """Have torchvision download the files, checksums compared; whole or not at all."""
    from torchvision.datasets import FashionMNIST

    with make_folder_beside(target) as folder, limit_waiting():
        FashionMNIST(folder, download=True)
        _move_in_place(Path(folder) / "FashionMNIST" / "raw", target)
    return target


def unpack_package(target: Path) -> Path:
    """Download Debian's package and unpack its data, without root and without installing it."""
    patience = ["-o", f"Acquire::http::Timeout={PATIENCE}", "-o", "Acquire::Retries=0"]
    with make_folder_beside(target) as folder:
        _run_command(["apt-get", "download", *patience, PACKAGE], folder)
        packages = [file.name for file in Path(folder).glob("*.deb")]
        _run_command(["dpkg", "-x", *packages, "unpacked"], folder)
        _move_in_place(Path(folder, "unpacked", *DEBIAN.parts[1:]), target)
    return target


def _move_in_place(folder: Path, target: Path) -> None:
    """Give complete files their name, unless another job has done so; damaged ones make room."""
    read_folder(folder)
    try:
        os.replace(folder, target)
    except OSError:  # the folder exists
        try:
            read_folder(target)
        except ERRORS:
            shutil.rmtree(target)
            os.replace(folder, target)


def _run_command(command: list[str], folder: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.strip() or done.stdout.strip()}")


def _find_file(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise FileNotFoundError(f"no file {name} or {name}.gz in {folder}")


def _join_lines(error: Exception) -> str:
    return " ".join(str(error).split())
