"""Images of a single colour: what a generator makes that has diverged.

Axes: n images, 3 channels, h rows, w columns.
"""

from collections.abc import Iterable, Iterator

import pyarrow as pa
from jaxtyping import Bool, UInt8
from torch import Tensor

from mvc.core.decoding import decode
from mvc.core.image_tables import get_bytes

# Share of constant images, beyond that of the training images, at which a generator is refused.
MOST_CONSTANT = 0.1
LOOKED_AT = 200  # training images of which that share is taken, about


def find_constant(pixels: UInt8[Tensor, "n 3 h w"]) -> Bool[Tensor, " n"]:
    """Find the images of which all pixels have the same colour."""
    return (pixels == pixels[:, :, :1, :1]).flatten(1).all(dim=1)


def has_one_colour(file: bytes) -> bool:
    """Whether all pixels of an image file have the same colour."""
    extrema = decode(file).getextrema()
    bands = extrema if isinstance(extrema[0], tuple) else [extrema]
    return all(low == high for low, high in bands)


def measure_constant_share(train: pa.Table) -> float:
    """The share of constant images among the training images, of which some are looked at."""
    step = max(len(train) // LOOKED_AT, 1)
    files = get_bytes(train.take(list(range(0, len(train), step))))
    return sum(map(has_one_colour, files)) / max(len(files), 1)


def refuse_constant(
    batches: Iterable[UInt8[Tensor, "_ 3 h w"]], *, total: int, train: pa.Table
) -> Iterator[UInt8[Tensor, "_ 3 h w"]]:
    """Pass batches of images on, until too many of them are constant.

    Args:
        total: number of images in all batches.
        train: training images, whose own share of constant ones is allowed for.

    Raises:
        ValueError: the constant images are more than `MOST_CONSTANT` of all beyond that share.
    """
    constant, share = 0, 0.0
    for pixels in batches:
        constant += int(find_constant(pixels).sum())
        if constant > MOST_CONSTANT * total:
            share = share or measure_constant_share(train)
            if constant > (MOST_CONSTANT + share) * total:
                raise ValueError(
                    f"{constant:,} of {total:,} synthetic images are of a single colour (of the "
                    f"training images {share:.0%}); at most {MOST_CONSTANT:.0%} more than of those "
                    "may be (synthetic/constant.py:MOST_CONSTANT), since it makes no pictures: "
                    "lower synthetic.scale, or unet.learning_rate and fine-tune again"
                )
        yield pixels
