"""Decoded images of one size in a file, which jobs map into memory instead of decoding them again.

A safetensors file: `sha256` of each image file, and its pixels as uint8. Jobs of one machine share
the pages that they read. Axes: n images, 3 channels, s pixels a side.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from jaxtyping import UInt8
from safetensors import safe_open
from torch import Tensor

from mvc.console.progress import Meter
from mvc.core import image_tables
from mvc.core.atomic import atomic
from mvc.core.pixels import decode_pixels

SHA256 = 32  # bytes
AT_ONCE = 256  # image files in memory


def write_pixels(images: str | Path, path: str | Path, *, size: int) -> int:
    """Decode a Parquet table of images to `size` x `size` pixels; return their number.

    Images are written as they are decoded, so that neither files nor pixels need fit into memory.
    """
    digests = image_tables.read(images, ["sha256"])["sha256"].to_pylist()
    n, show = len(digests), Meter(len(digests), "images decoded").show
    fit = image_tables.get_fit(pa.Table.from_batches([], pq.read_schema(images)))
    with atomic(path) as temporary, open(temporary, "wb") as file:
        file.write(format_header({"sha256": (n, SHA256), "pixels": (n, 3, size, size)}))
        file.write(b"".join(map(bytes.fromhex, digests)))
        decoded = decode_pixels(read_files(images), size=size, fit=fit)
        for done, array in enumerate(decoded, start=1):
            file.write(array.tobytes())
            show(done)
    return n


def format_header(shapes: dict[str, tuple[int, ...]]) -> bytes:
    """Format the header of a safetensors file of uint8 tensors, which follow in that order."""
    described, start = {}, 0
    for name, shape in shapes.items():
        end = start + torch.Size(shape).numel()
        described[name] = {"dtype": "U8", "shape": shape, "data_offsets": [start, end]}
        start = end
    text = json.dumps(described).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def read_files(images: str | Path) -> Iterator[bytes]:
    """Read the contents of a table's image files, some at once."""
    with pq.ParquetFile(images) as table:
        for batch in table.iter_batches(AT_ONCE, columns=["image"]):
            yield from image_tables.get_bytes(pa.Table.from_batches([batch]))


def open_pixels(path: str | Path, table: pa.Table, *, size: int) -> UInt8[Tensor, "n 3 s s"]:
    """Map the pixels of a table's images into memory, without reading them yet.

    Raises:
        ValueError: the file holds other images or another size.
    """
    with safe_open(path, "pt") as file:
        pixels, digests = file.get_tensor("pixels"), file.get_tensor("sha256")
    expected = b"".join(map(bytes.fromhex, table["sha256"].to_pylist()))
    if digests.numpy().tobytes() != expected or pixels.shape[1:] != (3, size, size):
        raise ValueError(
            f"{path} holds {len(pixels):,} images of {pixels.shape[-1]} pixels, which are not the "
            f"{len(table):,} of the data set at {size} pixels; delete it and run again"
        )
    return pixels
