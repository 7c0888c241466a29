"""A bank's recipes as a file of tensors, for those who want the mixed embeddings themselves.

The file is written a batch at a time, so that memory does not grow with it: 200,000 embeddings of
Stable Diffusion are 24 GB. The safetensors library can only write what is in memory whole; its
format is a length of 8 bytes, a JSON header, and the tensors' bytes one after the other.

Axes: k captions, n recipes, m context tokens, d text width.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mvc.banks.mixing import materialise
from mvc.banks.recipes import Recipes
from mvc.core.atomic import atomic

CODES = {torch.float16: "F16", torch.int64: "I64"}


def write(
    path: str | Path,
    recipes: Recipes,
    tokens: Float[Tensor, "k m d"],
    null: Float[Tensor, "m d"],
    *,
    columns: Mapping[str, Int[Tensor, " n"]],
    batch_size: int = 64,
    show: Callable[[int], None] = lambda done: None,
) -> None:
    """Write `tokens` (n, m, d) and `null` (m, d) in float16 and further columns in int64.

    Args:
        tokens, null: embeddings of the captions and of nothing.
        columns: a number for each recipe, by name.
        batch_size: recipes made at once.
        show: called with the number of embeddings written.
    """
    n = len(recipes)
    parts = {name: (torch.int64, (n,)) for name in sorted(columns)}
    parts |= {"null": (torch.float16, tuple(null.shape))}
    parts |= {"tokens": (torch.float16, (n, *tokens.shape[1:]))}
    with atomic(path) as temporary, temporary.open("wb") as file:
        file.write(_header(parts))
        for name in sorted(columns):
            file.write(_bytes(columns[name].long()))
        file.write(_bytes(null.half()))
        for first in range(0, n, batch_size):
            mixed = materialise(tokens, recipes[first : first + batch_size])
            file.write(_bytes(mixed.half()))
            show(min(first + batch_size, n))


def _header(parts: Mapping[str, tuple[torch.dtype, tuple[int, ...]]]) -> bytes:
    """Length and JSON: type, shape and place of each tensor, padded to 8 bytes with blanks."""
    described, start = {}, 0
    for name, (dtype, shape) in parts.items():
        end = start + dtype.itemsize * int(np.prod(shape))
        described[name] = {
            "dtype": CODES[dtype],
            "shape": list(shape),
            "data_offsets": [start, end],
        }
        start = end
    text = json.dumps(described, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _bytes(tensor: Tensor) -> bytes:
    array = tensor.cpu().contiguous().numpy()
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
