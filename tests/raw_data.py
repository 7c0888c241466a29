"""Tiny raw data sets that tests write, each in its own real format."""

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from mvc.images.loaders import fashion_mnist
from PIL import Image

FASHION = {
    "loader": "fashion_mnist",
    "path": None,
    "labels_per_class": 2,
    "validation_per_class": 3,
    "extra_per_class": 1,
    "test_per_class": 2,
    "oracle_per_class": 4,
    "unreadable": "error",
    "seed": 0,
}
FOLDER = {
    "loader": "imagefolder",
    "path": None,
    "image_column": None,
    "label_column": None,
    "test_fraction": 0.25,
    "validation_fraction": 0.25,
    "labels_per_class": None,
    "unreadable": "error",
    "seed": 0,
}

# What a loader of arrays with a test set reads; of arrays without one; of files.
SHARES = {"validation_fraction": 0.2, "labels_per_class": None, "seed": 0}
DRAWN = {**SHARES, "test_fraction": 0.25}
FILES = {**SHARES, "unreadable": "error"}


def idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + array.astype(np.uint8).tobytes()


def fashion(folder: Path, *, n_train: int = 200, n_test: int = 60, zipped: bool = True) -> Path:
    """Four files of distinct 5 x 4 images whose labels run 0..9 again and again."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(1).integers(0, 256, (n_train + n_test, 5, 4))
    labels = np.arange(n_train + n_test) % 10
    arrays = (pixels[:n_train], labels[:n_train], pixels[n_train:], labels[n_train:])
    for name, array in zip(fashion_mnist.FILES.values(), arrays, strict=True):
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


def zip_of(path: Path, files: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tar_of(path: Path, files: dict[str, bytes]) -> Path:
    """A tar; gzipped if its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz" if path.suffix.lower() in (".gz", ".tgz") else "w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def manifest(tmp_path: Path, text: str | bytes, n: int = 12) -> Path:
    """A manifest with this text beside n pictures."""
    for i in range(n):
        put(tmp_path / "pictures" / f"{i}.png", picture(i))
    return put(tmp_path / "list.csv", text if isinstance(text, bytes) else text.encode())


def rows(n: int = 12, more=lambda i: "") -> str:
    """Rows of the pictures of `manifest`, two classes in turn; `more` gives further columns."""
    return "".join(f"pictures/{i}.png,{'cat' if i % 2 else 'a dog'}{more(i)}\n" for i in range(n))


def dataset(n: int, *, start: int = 0, kind: str = "class", suffix: str = "PNG"):
    """A Hugging Face data set of n pictures in three classes, its labels of a kind."""
    import datasets

    names = ["ant", "bee", "wasp"]
    label = {
        "class": datasets.ClassLabel(names=names),
        "text": datasets.Value("string"),
        "int": datasets.Value("int64"),
    }[kind]
    values = [names[i % 3] if kind == "text" else i % 3 for i in range(n)]
    data = [{"bytes": picture(start + i, suffix=suffix), "path": None} for i in range(n)]
    features = datasets.Features(
        {"id": datasets.Value("int64"), "picture": datasets.Image(), "label": label}
    )
    columns = {"id": list(range(n)), "picture": data, "label": values}
    return datasets.Dataset.from_dict(columns, features=features)


def write_files(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        put(folder / name, data)
    return folder
