"""Near copies: images of two splits that look the same, though their pixels differ.

The same picture saved once more, at another size or in another light, teaches the answer to a test
image as an exact copy does. Two images are near copies if the correlation of their thumbnails, 16 x
16 grey values, is at least `ALIKE`. Of 5,000 x 10,000 CIFAR photographs that flags one pair, of 440
x 240 MRI slices 55, exact copies included. Pictures of plain things may be alike and yet no copies,
as the trousers of Fashion-MNIST: published arrays, whose splits are settled, are not compared.

Axes: n and m images, p = 256 grey values.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from mvc.images.items import Item, summarise

SIDE = 16  # of a thumbnail, in pixels
ALIKE = 0.995
FLAT = 2  # standard deviation in grey values; flatter thumbnails say nothing
COMPARED = (("train", "test"), ("extra", "test"), ("train", "validation"))  # splits
BLOCK = 2048  # images compared at once; bounds the memory


def make_thumbnail(image: Image.Image) -> bytes:
    """Make the thumbnail of an RGB image: its whole area, squashed, row by row."""
    return image.resize((SIDE, SIDE), Image.Resampling.BOX).convert("L").tobytes()


def report_copies(splits: dict[str, list[Item]]) -> tuple[dict, list[str]]:
    """Report near copies of what is measured on, with warnings, also of repeated test images.

    Args:
        splits: items by split; exact copies are dropped before (`splits.drop_copies`).
    """
    report, warnings = {}, []
    repeated = len(splits["test"]) - len({item.pixels for item in splits["test"]})
    if repeated:
        warnings.append(
            f"{repeated} of {len(splits['test'])} test image(s) repeat others of the test set; "
            "they are kept, as others measured on them, and count as often as they are there"
        )
    files = {split: [i for i in items if i.thumbnail] for split, items in splits.items()}
    thumbnails = {split: _stack(files[split]) for pair in COMPARED for split in pair}
    for learned, held_out in COMPARED:
        pairs = [
            (files[learned][i].image_id, files[held_out][j].image_id)
            for i, j in match_thumbnails(thumbnails[learned], thumbnails[held_out])
        ]
        found = [f"{image} ~ {other}" for image, other in pairs]
        report[f"{learned}, {held_out}"] = summarise(found)
        warnings += _warn_of_pairs(pairs, learned, held_out)
    return report, warnings


def _warn_of_pairs(pairs: Sequence[tuple[str, str]], learned: str, held_out: str) -> list[str]:
    if not pairs:
        return []
    pictures, others = (len(set(side)) for side in zip(*pairs, strict=True))
    return [
        f"{pictures} {learned} image(s) look like near copies of {others} {held_out} image(s), as "
        f"{pairs[0][0]} of {pairs[0][1]} (correlation of thumbnails >= {ALIKE}); they are kept. "
        "If they are copies, accuracies are too high, published ones on this data included: look "
        "at near_copies"
    ]


def match_thumbnails(
    first: UInt8[np.ndarray, "n p"], second: UInt8[np.ndarray, "m p"]
) -> Iterator[tuple[int, int]]:
    """Yield the rows of each pair of thumbnails that are alike, block by block."""
    known, places = _standardise(second)
    for start in range(0, len(first), BLOCK):
        block, rows = _standardise(first[start : start + BLOCK])
        for other in range(0, len(known), BLOCK):
            for i, j in np.argwhere(block @ known[other : other + BLOCK].T >= ALIKE).tolist():
                yield start + int(rows[i]), int(places[other + j])


def _stack(items: Sequence[Item]) -> UInt8[np.ndarray, "n p"]:
    """Stack the thumbnails of the items."""
    data = b"".join(item.thumbnail for item in items)
    return np.frombuffer(data, np.uint8).reshape(len(items), SIDE**2)


def _standardise(
    thumbnails: UInt8[np.ndarray, "n p"],
) -> tuple[Float[np.ndarray, "k p"], np.ndarray]:
    """Subtract each mean and scale to length 1; the rows of those that are not flat."""
    values = thumbnails.astype(np.float32)
    values -= values.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(values, axis=1)
    rows = np.flatnonzero(lengths >= FLAT * SIDE)
    return values[rows] / lengths[rows, None], rows
