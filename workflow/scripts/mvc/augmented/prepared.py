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


def write_shown(
    data: bytes, pixels: UInt8[np.ndarray, "3 h w"], *, grayscale: bool
) -> tuple[bytes, str]:
    """Write an image file that every reader shows with these pixels, in one channel or in three.

    A file that is one already, upright, opaque, at 8 bits, keeps its bytes; others become PNG.

    Returns:
        The bytes, and the suffix of their format.
    """
    _, notes, _ = examine(data)
    shown = pixels.transpose(1, 2, 0)
    with Image.open(io.BytesIO(data), formats=(*FORMATS, "MPO")) as image:
        suffix = SUFFIXES.get(image.format)
        plain = suffix and not notes and image.mode == ("L" if grayscale else "RGB")
        if plain and np.array_equal(np.asarray(image.convert("RGB")), shown):
            return data, suffix
    return encode_png(shown[..., 0] if grayscale else shown), ".png"


def find_original(
    stored: bytes, shown: bytes, pixels: UInt8[np.ndarray, "3 h w"], row: Mapping
) -> bytes | None:
    """Find what is kept beside the image that is shown: the stored file, where it holds more.

    A synthetic image is its pixels; of a real one every other byte counts.
    """
    if stored == shown:
        return None
    same = row["synthetic"] and np.array_equal(
        np.asarray(decode(stored)), pixels.transpose(1, 2, 0)
    )
    return None if same else stored
