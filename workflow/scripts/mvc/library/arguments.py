"""Arguments of the library's functions: images as files, class names as labels, faults in words."""

import io
from collections.abc import Sequence, Sized
from pathlib import Path

import pandas as pd
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

Picture = str | Path | Image.Image
PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16")  # of Pillow, which PNG can hold


def read_images(images: object) -> list[bytes]:
    """Read images as the contents of files: paths as they are, Pillow's images as PNG.

    Raises:
        TypeError: one image instead of several, or one that is neither path nor Pillow's; names it.
        FileNotFoundError: there is no such file.
    """
    if isinstance(images, str | Path | Image.Image):
        raise TypeError(f"images = {images!r}; must be a list of images: [image]")
    return [_read_image(image, place) for place, image in enumerate(images)]


def _read_image(image: object, place: int) -> bytes:
    if isinstance(image, Image.Image):
        buffer = io.BytesIO()
        (image if image.mode in PNG_MODES else image.convert("RGB")).save(buffer, format="PNG")
        return buffer.getvalue()
    if isinstance(image, str | Path):
        return Path(image).read_bytes()
    kind = type(image).__name__
    raise TypeError(f"images[{place}] is of type {kind}; must be a path or a PIL image")


def open_pixels(pixels: UInt8[Tensor, "n 3 h w"]) -> list[Image.Image]:
    """Open a batch of pixels as Pillow's images."""
    return [Image.fromarray(array) for array in pixels.permute(0, 2, 3, 1).numpy()]


def assign_labels(class_names: Sequence[str]) -> list[int]:
    """Assign labels to items: classes numbered in the order of their first appearance."""
    numbers = {name: label for label, name in enumerate(dict.fromkeys(class_names))}
    return [numbers[name] for name in class_names]


def list_recipes(recipes: pd.DataFrame) -> list[dict]:
    """List recipes as rows; in a table that was read from Parquet, edits are arrays."""
    edits = {key: recipes[key].map(list) for key in ("coarse", "fine")}
    return recipes.assign(**edits).to_dict("records")


def check_lengths(**items: Sized) -> None:
    """Refuse lists of different lengths, or empty ones.

    Raises:
        ValueError: says how long each is.
    """
    lengths = {name: len(values) for name, values in items.items()}
    if len({*lengths.values()}) > 1 or 0 in lengths.values():
        said = ", ".join(f"{count:,} {name}" for name, count in lengths.items())
        raise ValueError(f"{said}; must be one of each, and at least one")


def check_choice(name: str, value: str, allowed: Sequence[str]) -> None:
    """Refuse a value that is none of those allowed.

    Raises:
        ValueError: the value, and what is allowed.
    """
    if value not in allowed:
        raise ValueError(f"{name} = {value!r}; must be one of {', '.join(allowed)}")


def check_embeddings(embeddings: object) -> None:
    """Refuse what `mvc.embed` has not made.

    Raises:
        TypeError: it is no dictionary of tensors with `tokens` and `null`.
    """
    keys = set(embeddings) if isinstance(embeddings, dict) else set()
    if not {"tokens", "null"} <= keys or not all(map(torch.is_tensor, embeddings.values())):
        raise TypeError(
            f"embeddings of type {type(embeddings).__name__}; must be what mvc.embed returns, or "
            "safetensors.torch.load_file of an embeddings.safetensors"
        )
