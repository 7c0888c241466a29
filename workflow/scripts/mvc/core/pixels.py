"""Image files as uint8 tensors, and back. Axes: n images, 3 channels (RGB), h rows, w columns."""

import io
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from mvc.core.decoding import decode, read_size
from mvc.core.parallel import run_in_threads
from mvc.core.square import find_side, fit_square


def load(
    images: Sequence[bytes],
    *,
    size: int | None,
    fit: str = "crop",
    show: Callable[[int], None] = lambda done: None,
) -> UInt8[Tensor, "n 3 h w"]:
    """Decode files into one batch, in as many threads as PyTorch has.

    Args:
        images: contents of image files, in any format that `decode` reads.
        size: side in pixels; None keeps the native size, which all must share.
        fit: how oblong images become squares of that side, see `core.square`; of a table's images
            `image_tables.get_fit`. Square ones are the same with each.
        show: called with the number of images decoded.

    Raises:
        ValueError: a file cannot be decoded, or sizes differ and `size` is None; names which.
    """
    batch = None
    for position, pixels in enumerate(decode_pixels(images, size=size, fit=fit)):
        if batch is None:
            batch = np.empty((len(images), *pixels.shape), np.uint8)
        if pixels.shape != batch.shape[1:]:
            raise ValueError(
                f"image {position} of the batch is {pixels.shape[2]} x {pixels.shape[1]} pixels, "
                f"the first {batch.shape[3]} x {batch.shape[2]}; set classifiers.resolution to the "
                "side to resize them to"
            )
        batch[position] = pixels
        show(position + 1)
    if batch is None:
        return torch.empty(0, 3, size or 0, size or 0, dtype=torch.uint8)
    return torch.from_numpy(batch)


def decode_pixels(
    images: Iterable[bytes], *, size: int | None, fit: str
) -> Iterator[UInt8[np.ndarray, "3 h w"]]:
    """Decode files one after the other; arguments and errors are those of `load`."""
    if size is not None and size < 1:
        raise ValueError(f"size = {size}; must be >= 1")

    def decode_one(item: tuple[int, bytes]) -> UInt8[np.ndarray, "3 h w"]:
        position, data = item
        try:
            image = decode(data)
        except ValueError as error:
            raise ValueError(f"image {position} of the batch: {error}") from error
        image = image if size is None else fit_square(image, size, fit)
        return np.asarray(image).transpose(2, 0, 1)

    yield from run_in_threads(decode_one, enumerate(images), torch.get_num_threads())


def encode(pixels: UInt8[Tensor, "n 3 h w"], *, grayscale: bool) -> list[bytes]:
    """Encode each image as a lossless PNG; `grayscale` stores the luma (ITU-R 601) in one channel.

    Equal channels survive `grayscale` exactly; equal pixels give equal bytes.
    """
    files = []
    for array in pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy():
        image = Image.fromarray(array)
        buffer = io.BytesIO()
        (image.convert("L") if grayscale else image).save(buffer, format="PNG")
        files.append(buffer.getvalue())
    return files


def resize(pixels: UInt8[Tensor, "n 3 h w"], size: int) -> UInt8[Tensor, "n 3 s s"]:
    """Resize square images: bicubic, antialiased on the way down."""
    if pixels.shape[-1] == size:
        return pixels
    return interpolate(pixels, (size, size), mode="bicubic", antialias=True)


def choose_side(files: Iterable[bytes], *, resolution: int, fit: str = "crop") -> int:
    """Choose the side in pixels of stored images: the data set's, at most the generator's.

    The data set's side is that of its images as squares, where all of them share it. Only headers
    are read.
    """
    sides = {find_side(*read_size(data), fit) for data in files}
    return min(*sides, resolution) if len(sides) == 1 else resolution
