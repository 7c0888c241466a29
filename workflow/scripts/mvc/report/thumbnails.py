"""Small pictures for the pages, and the nearest training image of each synthetic one.

Axes: n images, m training images.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.parquet as pq
from jaxtyping import Float, UInt8
from PIL import Image

from mvc.core.image_tables import get_fit
from mvc.core.square import decode_square

SIDE = 160  # pixels of a thumbnail
LOSSLESS = 64  # pixels up to which a picture is stored as it is
COMPARED_SIDE = 16  # pixels of a side at which images are compared


@dataclass(frozen=True)
class Thumbnail:
    """A small picture as a file, what is compared of it, and whether it has no colour."""

    data: bytes
    suffix: str
    features: UInt8[np.ndarray, " d"]
    grey: bool


def make_thumbnail(data: bytes, fit: str = "crop", *, grey: bool = False) -> Thumbnail:
    """Make a thumbnail of an image file: PNG as it is up to `LOSSLESS` pixels, WebP above.

    Args:
        fit: what makes an oblong image square, see `core.square`.
        grey: convert to greyscale (ITU-R 601), as classifiers of grey images read it.
    """
    image = decode_square(data, fit)
    image = image.convert("L").convert("RGB") if grey else image
    small = image.resize((COMPARED_SIDE, COMPARED_SIDE), Image.Resampling.BOX)
    pixels = np.asarray(image)
    plain = bool((pixels == pixels[..., :1]).all())
    lossless = image.width <= LOSSLESS
    if not lossless:
        image = image.resize((min(SIDE, image.width),) * 2, Image.Resampling.LANCZOS)
    file = io.BytesIO()
    shown = image.convert("L") if plain else image
    shown.save(file, **({"format": "PNG"} if lossless else {"format": "WEBP", "quality": 82}))
    features = np.asarray(small).ravel()
    return Thumbnail(file.getvalue(), ".png" if lossless else ".webp", features, plain)


def read_pictures(paths: Sequence[str], rows: Sequence[int]) -> Iterator[tuple[int, bytes, str]]:
    """Read the image files of some rows of several Parquet files, and how they become squares.

    Row groups without such a row are not read, and memory holds one of them.
    """
    wanted, first = sorted(set(rows)), 0
    for path in paths:
        file = pq.ParquetFile(path)
        for number in range(file.num_row_groups):
            last = first + file.metadata.row_group(number).num_rows
            inside = [row for row in wanted if first <= row < last]
            if inside:
                group = file.read_row_group(number, ["image"])
                fit, images = get_fit(group), group["image"].to_pylist()
                yield from ((row, images[row - first]["bytes"], fit) for row in inside)
            first = last


def read_thumbnails(
    paths: Sequence[str], rows: Sequence[int], *, grey: bool = False
) -> dict[int, Thumbnail]:
    """Thumbnails of some rows of several Parquet files, by row."""
    pictures = read_pictures(paths, rows)
    return {row: make_thumbnail(data, fit, grey=grey) for row, data, fit in pictures}


def find_nearest(
    queries: Mapping[int, Thumbnail],
    labels: Mapping[int, int],
    train: Mapping[int, Thumbnail],
    train_labels: Sequence[int],
) -> dict[int, tuple[int, float]]:
    """The nearest training image of its class to each image, and how far it is.

    The distance is the root mean square of the differences of pixels of 0..255, both images at
    `COMPARED_SIDE` pixels: 0 is a copy.
    """
    nearest = {}
    for label in {labels[row] for row in queries}:
        own = [row for row in train if train_labels[row] == label]
        if not own:
            continue
        candidates = _stack([train[row] for row in own])
        for row in (row for row in queries if labels[row] == label):
            distances = np.square(candidates - _stack([queries[row]])).mean(axis=1)
            best = int(distances.argmin())
            nearest[row] = (own[best], round(float(np.sqrt(distances[best])), 1))
    return nearest


def _stack(thumbnails: Sequence[Thumbnail]) -> Float[np.ndarray, "n d"]:
    return np.stack([thumbnail.features for thumbnail in thumbnails]).astype(np.float32)
