"""Whether CLIP's text tower has the weights of the text encoder that a U-Net was trained with.

Standard library only, since the workflow reads this while it is parsed: a few numbers of two
tensors, in the file of each library. Two towers of one architecture have the same shapes.
"""

import array
import math
import struct
from collections.abc import Sequence
from pathlib import Path

from mvc.models.layouts import read_header

# Tensors that training from another start, or further, makes others: names in transformers'
# CLIPTextModel and in open_clip, of block n.
TENSORS = (
    ("embeddings.position_embedding.weight", "positional_embedding"),
    ("encoder.layers.{n}.mlp.fc1.weight", "transformer.resblocks.{n}.mlp.c_fc.weight"),
)
PREFIXES = ("text_model.", "text.", "")
NUMBERS = 4096  # compared of each tensor
ROUNDING = 0.008  # relative, of weights in half precision (bfloat16: 0.004)
ALIKE = 0.9  # correlation above which weights are those of the other, trained further
FORMATS = {"F32": "f", "F16": "e"}


def compare_towers(encoder: Path, clip: Path, *, block: int) -> float | None:
    """Compare a text encoder's weights with CLIP's.

    Args:
        encoder: file of safetensors of transformers' CLIPTextModel.
        clip: file of safetensors of open_clip.
        block: number of the transformer block that is compared, from 0 on.

    Returns:
        1 where they are equal but for rounding; else their smallest correlation; None where a
        file is not there or lacks the tensors.

    Raises:
        ValueError: a file is damaged.
    """
    if not (encoder.is_file() and clip.is_file()):
        return None
    least = 1.0
    for ours, theirs in TENSORS:
        pair = [
            _read_numbers(file, name.format(n=block))
            for file, name in ((encoder, ours), (clip, theirs))
        ]
        if not (pair[0] and pair[1]):
            return None
        least = min(least, _measure_correlation(*pair))
    return least


def _read_numbers(path: Path, name: str) -> Sequence[float]:
    """The first numbers of a tensor, under any of the prefixes; none where there is no such one."""
    tensors = read_header(path)
    found = next((tensors[prefix + name] for prefix in PREFIXES if prefix + name in tensors), None)
    if not found:
        return []
    with open(path, "rb") as file:
        start = 8 + int.from_bytes(file.read(8), "little")
        file.seek(start + found["data_offsets"][0])
        size = 4 if found["dtype"] == "F32" else 2
        data = file.read(min(NUMBERS * size, found["data_offsets"][1] - found["data_offsets"][0]))
    if found["dtype"] == "BF16":  # the upper half of a float32
        halves = array.array("H", data)
        return struct.unpack(f"<{len(halves)}f", b"".join(struct.pack("<HH", 0, h) for h in halves))
    kind = FORMATS.get(found["dtype"])
    return struct.unpack(f"<{len(data) // size}{kind}", data) if kind else []


def _measure_correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """The correlation of two rows of numbers around 0; 1 where they differ by rounding alone."""
    if len(a) != len(b):
        return 0.0
    root = _find_root(a)
    if all(abs(x - y) <= ROUNDING * max(abs(x), 0.1 * root) for x, y in zip(a, b, strict=True)):
        return 1.0
    product = sum(x * y for x, y in zip(a, b, strict=True))
    return product / max(root * _find_root(b) * len(a), 1e-30)


def _find_root(values: Sequence[float]) -> float:
    return math.sqrt(sum(value * value for value in values) / len(values))
