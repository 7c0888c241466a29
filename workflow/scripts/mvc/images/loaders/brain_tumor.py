"""Cheng's brain tumours (figshare 1512427): 3,064 MRI slices of 233 patients in three classes.

Each slice is a MATLAB 7.3 file, which is HDF5: `cjdata/image` (16 bits), `cjdata/label` (1 to 3)
and `cjdata/PID`, the patient, as character codes. MATLAB stores columns first, so its arrays are
transposed in HDF5.
"""

import functools
from pathlib import Path

import numpy as np
from jaxtyping import Num, UInt8

from mvc.config.catalogue import LOADERS
from mvc.core.decoding import encode_png
from mvc.images import archives, folders
from mvc.images.inspection import check_items
from mvc.images.items import Item, Loaded, summarise_files

CLASSES = ("meningioma", "glioma", "pituitary tumor")  # labels 1, 2, 3
FOLDS = "cvind.mat"  # the authors' cross-validation folds; not an image
PAGE = LOADERS["brain_tumor"].page


def load_brain_tumor(cfg: dict, *, key: str, data: Path, threads: int) -> Loaded:
    """Load all slices, each with its patient as its group.

    Raises:
        FileNotFoundError: no such folder or archive.
        ValueError: it holds no slice, or files cannot be used and are not to be skipped.
    """
    path = Path(cfg["path"] or "")
    if not cfg["path"] or not path.exists():
        raise FileNotFoundError(
            f"{key}.path = {cfg['path']}: no such folder or archive; download the zip files of "
            f"{PAGE} and name the folder that holds them, or the one archive of all"
        )
    files, unused = _list_slices(archives.unpack(path, data), data)
    if not files:
        raise ValueError(
            f"{key}.path = {path}: no .mat file, and no zip file that holds one; it holds "
            f"{folders.format_suffixes(unused) or 'nothing'}; for images in class folders use "
            "loader: imagefolder"
        )
    items = [_make_item(file, name) for name, file in files.items()]
    items, report = check_items(items, unreadable=cfg["unreadable"], key=key, threads=threads)
    report |= {"loader": "brain_tumor", "source": str(path), "not_used": summarise_files(unused)}
    return CLASSES, items, report | {"patients": len({item.group for item in items})}


def read_header(path: Path) -> tuple[int, str]:
    """Read label (0 to 2) and patient of one slice.

    Raises:
        ValueError: the file does not exist, or holds no slice.
    """
    value = _read_field(path, "label").ravel()
    patient = "".join(chr(int(code)) for code in _read_field(path, "PID").ravel()).strip()
    if value.size != 1 or value[0] not in (1, 2, 3):
        raise ValueError(f"cjdata/label = {value.tolist()}; must be 1, 2 or 3")
    if not patient:
        raise ValueError("cjdata/PID is empty; it must name the patient")
    return int(value[0]) - 1, patient


def encode_slice(path: Path) -> bytes:
    """Encode a slice as an 8-bit grey PNG, its darkest value 0 and its brightest 255.

    Raises:
        ValueError: the file does not exist, or holds no picture.
    """
    values = _read_field(path, "image")
    if values.ndim != 2 or not values.size or not np.isfinite(values).all():
        raise ValueError(f"cjdata/image of shape {values.shape} is not a picture")
    return encode_png(stretch_to_8_bits(values.T))


def stretch_to_8_bits(values: Num[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w"]:
    """Stretch a picture's own range to 0..255, rounded; one value alone becomes 0."""
    values = values.astype(np.float64)
    values -= values.min()
    return np.round(values * (255 / (values.max() or 1))).astype(np.uint8)


def _make_item(file: Path, name: str) -> Item:
    read = functools.partial(encode_slice, file)
    try:
        label, patient = read_header(file)
    except ValueError as error:
        return Item(name, "", "all", read, problem=str(error))
    return Item(name, CLASSES[label], "all", read, group=patient)


def _list_slices(root: Path, data: Path, depth: int = 2) -> tuple[dict[str, Path], list[str]]:
    """List the .mat files in a folder and in its zip files, by name; and the other files."""
    found, unused = {}, []
    for path in folders.list_files(root):
        name = folders.normalise_name(path.relative_to(root))
        if path.suffix.lower() == ".zip" and depth:
            inside, others = _list_slices(archives.unpack(path, data), data, depth - 1)
            found |= {f"{name}/{member}": file for member, file in inside.items()}
            unused += [f"{name}/{member}" for member in others]
        elif path.suffix.lower() != ".mat" or path.name == FOLDS or path.name.startswith("."):
            unused.append(name)
        else:
            found[name] = path
    return found, unused


def _read_field(path: Path, name: str) -> np.ndarray:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return np.asarray(file[f"cjdata/{name}"][()])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"no slice in MATLAB 7.3 form: {error}") from error
