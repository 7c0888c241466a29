"""Filters of synthetic images: what CLIP and the oracle say of each, which real image it copies.

Copies are sought among images as classifiers see them, mirrored ones too: `copies.ALIKE` says how
alike. A copy of a validation or test image is a leak, whatever made it.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import UInt8
from PIL import Image

from mvc.augmented.prepared import View, read_pixels
from mvc.console.progress import Meter
from mvc.core.image_tables import read, read_class_names
from mvc.images.copies import SIDE, make_thumbnail, match_thumbnails
from mvc.notices.notice import FIRST, SECOND, THIRD, Notice, format_count
from mvc.synthetic.choice import CLIP_PROBABILITY, RANK, Mark, choose_rows

COPY, LEAK, SEEN = "copy_of_training_image", "copy_of_held_out_image", "oracle_class"
# What drops an image, in the order of the card.
FILTERS = {
    "clip": "CLIP gives its class too low a probability",
    "oracle": "the oracle sees another class",
    "memorised": "near copy of a training image",
    RANK: "more than are wanted of the class",
    "leak": "near copy of a validation or test image",
}


class Looks(NamedTuple):
    """What images are compared by."""

    thumbnails: UInt8[np.ndarray, "n p"]
    digests: list[bytes]  # of the pixels: flat images have no telling thumbnail


def read_looks(paths: Iterable[str], view: View) -> Looks:
    """Read the looks of all images in these tables."""
    thumbnails, digests, paths = [], [], list(paths)
    total = sum(pq.read_metadata(path).num_rows for path in paths)
    meter = Meter(total, "images looked at for copies")
    for batch in read_pixels(paths, view):
        for pixels in batch.numpy():
            image = Image.fromarray(pixels.transpose(1, 2, 0))
            thumbnails.append(np.frombuffer(make_thumbnail(image), np.uint8))
            digests.append(hashlib.sha256(image.tobytes()).digest())
        meter.show(len(digests))
    return Looks(np.array(thumbnails, np.uint8).reshape(-1, SIDE**2), digests)


def find_copies(made: Looks, real: Looks, names: Sequence[str]) -> list[str | None]:
    """Find the name of a real image that each image is a near copy of, None where there is none."""
    known = dict(zip(real.digests, names, strict=True))
    found = {row: known[digest] for row, digest in enumerate(made.digests) if digest in known}
    plain = real.thumbnails.reshape(-1, SIDE, SIDE)
    for thumbnails in (plain, plain[..., ::-1]):
        for row, other in match_thumbnails(made.thumbnails, thumbnails.reshape(-1, SIDE**2)):
            found.setdefault(row, names[other])
    return [found.get(row) for row in range(len(made.digests))]


def add_findings(
    made: pa.Table,
    shards: Sequence[str],
    *,
    view: View,
    train: str,
    held_out: Mapping[str, str],
    predicted: Sequence[int] | None,
) -> pa.Table:
    """Add to the synthetic images a column for each filter that reads pixels.

    Args:
        made: rows of `shards`.
        train, held_out: files of the training images, and of those of each held-out split.
        predicted: the oracle's classes, None where it was not asked.
    """
    looks = read_looks(shards, view)
    seen = [None] * len(made)
    if predicted is not None:
        names = read_class_names(read(train, ["label", "class_name"]))
        seen = [names[label] for label in predicted]
    columns = {
        SEEN: seen,
        COPY: find_copies(looks, read_looks([train], view), _read_names([train])),
        LEAK: find_copies(
            looks, read_looks(held_out.values(), view), _read_names(list(held_out.values()))
        ),
    }
    for name, values in columns.items():
        made = made.append_column(name, pa.array(values, pa.string()))
    return made


def choose_images(
    made: pa.Table, real: pa.Table, *, filters: Mapping, selection: Mapping
) -> list[Mark]:
    """Choose the images that are delivered.

    Filters come first, and the selection takes what it wants of the rest. Leaks are dropped last
    and not replaced: nothing is delivered that the same selection does not train on.

    Args:
        made: synthetic images with their findings.
        real: the training images.
        filters: section `augmented.filters`.
        selection: see `config.selection.read_delivered`.
    """
    classes = read_class_names(real)
    columns = {name: made[name].to_pylist() for name in ("class_name", SEEN, COPY, LEAK)}
    low = 0.0 if filters["clip"] in (None, "top") else filters["clip"]
    chances = made[CLIP_PROBABILITY].to_pylist() if low else [1.0] * len(made)
    dropped = {}
    rows = zip(chances, columns["class_name"], columns[SEEN], columns[COPY], strict=True)
    for row, (chance, name, seen, copy) in enumerate(rows):
        if chance < low:
            reason = f"CLIP gives its class a probability of {chance:.3g}, below {low}"
            dropped[row] = Mark("clip", reason)
        elif filters["oracle"] and seen != name:
            dropped[row] = Mark("oracle", f"the oracle sees {seen}")
        elif filters["memorised"] and copy is not None:
            dropped[row] = Mark("memorised", f"near copy of the training image {copy}")
    marks = choose_rows(made, real["label"].to_numpy(), classes, **selection, dropped=dropped)
    return [
        mark if leak is None else Mark("leak", f"near copy of the held-out image {leak}")
        for mark, leak in zip(marks, columns[LEAK], strict=True)
    ]


def summarise_choice(made: pa.Table, marks: Sequence[Mark]) -> dict:
    """Summarise the choice: images made, delivered and dropped, by filter, and notices of it."""
    counts = Counter(mark.dropped_by for mark in marks)
    dropped = {name: counts[name] for name in FILTERS if counts[name]}
    copies = len(made) - made[COPY].null_count
    left = ", ".join(f"{n:,} left out ({FILTERS[name]})" for name, n in dropped.items())
    texts = {
        THIRD: f"augmented/ has {counts[None]:,} of {len(made):,} synthetic images"
        + (f"; {left}" if left else ""),
        SECOND: f"{format_count(copies, 'synthetic image')} may be memorised: near copies of "
        "training images, named in provenance.csv (augmented.filters.memorised drops them)",
        FIRST: f"{format_count(counts['leak'], 'synthetic image')} looked like a near copy of a "
        "validation or test image: augmented/ leaves them out, classifiers trained on those that "
        "were chosen, and their accuracy is too high if they are copies",
    }
    said = {THIRD: True, SECOND: copies > counts["memorised"], FIRST: counts["leak"]}
    return {
        "made": len(made),
        "delivered": counts[None],
        "dropped": dropped,
        "copies_of_training_images": copies,
        "notices": [
            Notice(text, "provenance.csv", rank)._asdict()
            for rank, text in texts.items()
            if said[rank]
        ],
    }


def _read_names(paths: Sequence[str]) -> list[str]:
    return read(paths, ["image_id"])["image_id"].to_pylist()
