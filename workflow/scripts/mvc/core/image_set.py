"""Image tables as labelled tensors in memory, and the check that they fit together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from mvc.console.progress import Meter
from mvc.core import image_tables, pixels
from mvc.core.hashing import digest_settings
from mvc.core.pixel_cache import open_pixels

COLUMNS = ["image", "label", "class_name", "image_id", "sha256"]
EXTRA_COLUMNS = [*COLUMNS, "source_image_id"]
PART = 1024  # images compared or converted to greyscale at once


@dataclass(frozen=True)
class Labelled:
    """Images with labels 0..k-1, the classes' names, and the ids of the images or their sources.

    `digest` is that of the image files, their labels and how oblong ones become squares.
    """

    images: UInt8[Tensor, "n 3 h w"]
    labels: Int64[Tensor, " n"]
    class_names: dict[int, str]
    ids: frozenset[str] = field(default_factory=frozenset)
    digest: str = ""


def read_labelled(
    path: str | Path, *, size: int | None, decoded: str | Path | None = None
) -> Labelled:
    """Read a Parquet table of images as `load_labelled` does; without their files if `decoded`."""
    columns = [name for name in COLUMNS if decoded is None or name != "image"]
    return load_labelled(image_tables.read(path, columns), size=size, decoded=decoded)


def load_labelled(
    table: pa.Table,
    *,
    size: int | None,
    decoded: str | Path | None = None,
    grayscale: bool = False,
) -> Labelled:
    """Decode an image table.

    Args:
        size: side in pixels; None keeps the native size.
        decoded: file that holds the table's pixels, see `pixel_cache`; None decodes them.
        grayscale: see `prepare_pixels`; of images that are decoded here.

    Raises:
        ValueError: a label has two names, an image no source, images differ in size and `size`
            is None, or `decoded` holds other images.
    """
    pairs = set(zip(table["label"].to_pylist(), table["class_name"].to_pylist(), strict=True))
    names = dict(pairs)
    for label, name in pairs:
        if names[label] != name:
            raise ValueError(f"label {label} is both {names[label]!r} and {name!r}")
    origin = "source_image_id" if "source_image_id" in table.column_names else "image_id"
    ids = table[origin].to_pylist()
    if None in ids:
        raise ValueError(f"row {ids.index(None)} has no {origin}; delete the file and run again")
    fit, labels = image_tables.get_fit(table), table["label"].to_pylist()
    if decoded is None:
        show = Meter(len(table), "images decoded").show
        data = image_tables.get_bytes(table)
        images = prepare_pixels(data, size=size, fit=fit, grayscale=grayscale, show=show)
    else:
        images = open_pixels(decoded, table, size=size)
    return Labelled(
        images,
        torch.tensor(labels, dtype=torch.int64),
        dict(sorted(names.items())),
        frozenset(ids),
        digest_settings([fit, labels, table["sha256"].to_pylist()]),
    )


def prepare_pixels(
    files: Sequence[bytes],
    *,
    size: int | None,
    fit: str = "crop",
    grayscale: bool = False,
    show: Callable[[int], None] = lambda done: None,
) -> UInt8[Tensor, "n 3 h w"]:
    """Decode image files to the pixels that classifiers see, and that `augmented` delivers.

    Args:
        size, fit, show: see `pixels.load`.
        grayscale: convert to greyscale (ITU-R 601), as a user of a greyscale data set reads every
            image: a generator may tint a grey garment, and a pre-trained one may draw in colour.
    """
    images = pixels.load(files, size=size, fit=fit, show=show)
    if not grayscale:
        return images
    weights = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    luma = [
        (part * weights).sum(dim=1, keepdim=True).round().to(torch.uint8)
        for part in images.split(PART)
    ]
    return torch.cat(luma).expand_as(images).contiguous()


def has_equal_channels(images: UInt8[Tensor, "n 3 h w"]) -> bool:
    """Whether all images are grey: their three channels are equal."""
    return not any(bool((part != part[:, :1]).any()) for part in images.split(PART))


def check_classes(train: Labelled, other: Labelled, name: str) -> None:
    """Refuse images whose class or size the training images do not have.

    Raises:
        ValueError: names the classes or the sizes.
    """
    if sorted(train.class_names) != list(range(len(train.class_names))):
        raise ValueError(f"training labels {sorted(train.class_names)}; must be 0, 1, 2, ...")
    unknown = [
        f"{n!r} ({k})" for k, n in other.class_names.items() if train.class_names.get(k) != n
    ]
    if unknown:
        raise ValueError(
            f"{name} images have classes without training images: {', '.join(unknown)}; "
            "add training images of the class, or remove it from the data set"
        )
    (h, w), (i, j) = train.images.shape[2:], other.images.shape[2:]
    if (h, w) != (i, j):
        raise ValueError(
            f"{name} images are {j} x {i} pixels, training images {w} x {h}; "
            "set classifiers.resolution"
        )
