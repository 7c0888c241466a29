"""Images as classifiers are fed them: their pixels, and files that show nothing else.

Axes: n images, 3 channels, h and w pixels.
"""

import io
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from mvc.augmented.metadata import encode_marked
from mvc.core import image_tables
from mvc.core.decoding import FORMATS, decode, encode_png, examine
from mvc.core.image_set import has_equal_channels, prepare_pixels

# Suffixes by format that ImageFolder lists; files of other formats are written as PNG.
SUFFIXES = {"JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "BMP": ".bmp", "WEBP": ".webp"}
SUFFIXES |= {"PPM": ".ppm"}
AT_ONCE = 256  # images in memory


class View(NamedTuple):
    """How classifiers see the images of a data set: arguments of `prepare_pixels`."""

    size: int | None
    fit: str
    grayscale: bool


def find_view(train: str, size: int | None) -> View:
    """Find how classifiers of `size` pixels see a data set: in grey if its training images are."""
    view = View(size, image_tables.get_fit(pq.read_schema(train).empty_table()), False)
    return view._replace(grayscale=all(map(has_equal_channels, read_pixels([train], view))))


def read_pixels(paths: Iterable[str], view: View) -> Iterator[UInt8[Tensor, "n 3 h w"]]:
    """Read the pixels of all images in these tables, some at a time."""
    for path in paths:
        for batch in pq.ParquetFile(path).iter_batches(AT_ONCE, columns=["image"]):
            files = image_tables.get_bytes(pa.Table.from_batches([batch]))
            yield prepare_pixels(files, **view._asdict())


def encode_shown(
    data: bytes, pixels: UInt8[np.ndarray, "3 h w"], row: Mapping, *, grayscale: bool
) -> tuple[bytes, str]:
    """Encode an image file that every reader shows with these pixels, in one channel or in three.

    A synthetic image becomes a PNG that says so. The file of a real one that shows just that,
    upright, opaque, at 8 bits, keeps its bytes; others become PNG.

    Args:
        data: the file as it is stored.
        row: of the data set's table.

    Returns:
        The bytes, and the suffix of their format.
    """
    shown = pixels.transpose(1, 2, 0)
    stored = shown[..., 0] if grayscale else shown
    if row["synthetic"]:
        return encode_marked(stored, row), ".png"
    _, notes, _ = examine(data)
    with Image.open(io.BytesIO(data), formats=(*FORMATS, "MPO")) as image:
        suffix = SUFFIXES.get(image.format)
        plain = suffix and not notes and image.mode == ("L" if grayscale else "RGB")
        if plain and np.array_equal(np.asarray(image.convert("RGB")), shown):
            return data, suffix
    return encode_png(stored), ".png"


def find_original(
    data: bytes, shown: bytes, pixels: UInt8[np.ndarray, "3 h w"], row: Mapping
) -> bytes | None:
    """Find what is kept beside the image that is shown: the stored file, where it holds more.

    A synthetic image is its pixels; of a real one every byte counts.
    """
    if data == shown:
        return None
    if row["synthetic"] and np.array_equal(np.asarray(decode(data)).transpose(2, 0, 1), pixels):
        return None
    return data


def convert_to_png(data: bytes, suffix: str) -> bytes:
    """Convert an image file of one or three channels to PNG, unless it is one."""
    if suffix == ".png":
        return data
    with Image.open(io.BytesIO(data)) as image:
        return encode_png(np.asarray(image))
