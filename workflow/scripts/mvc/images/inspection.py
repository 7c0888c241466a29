"""Inspection of image files: each is decoded once before its use, and compared at later reads."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

from mvc.console.progress import progress
from mvc.core.csv_tables import format_faults
from mvc.core.decoding import NOTES, examine
from mvc.core.square import find_crop
from mvc.images.copies import make_thumbnail
from mvc.images.items import Item, summarise

TINY = 8  # pixels; a shorter side gives a warning


def check_items(
    items: Sequence[Item], *, unreadable: str, key: str, threads: int
) -> tuple[list[Item], dict]:
    """Inspect every file; return the usable items, and a report on all of them.

    Args:
        unreadable: "error" or "skip", for files that cannot be used.
        key: config key of the data set, for messages.
        threads: files inspected at the same time.

    Raises:
        ValueError: files cannot be used, and `unreadable` is "error"; names the first.
    """
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        inspected = list(progress(pool.map(inspect, items), total=len(items), unit="images"))
    bad = [f"{item.image_id}: {item.problem}" for item in inspected if item.problem]
    if bad and unreadable == "error":
        raise ValueError(
            f"{len(bad)} of {len(items)} image files cannot be used:{format_faults(bad)}\n"
            f"Fix or remove them, or set {key}.images.unreadable to skip, which leaves them out "
            "and counts them in report.json"
        )
    notes = Counter(note for item in inspected for note in item.notes)
    tiny = notes["tiny"]
    report = {
        "found": len(items),
        "converted": {note: notes[note] for note in (*NOTES, "suffix")},
        "skipped": summarise(bad),
        "warnings": [f"{tiny} image(s) have a side under {TINY} pixels"] if tiny else [],
    }
    return [item for item in inspected if not item.problem], report


def inspect(item: Item) -> Item:
    """Read and decode one file; one that cannot be used gets a `problem`, not an exception."""
    if item.problem:
        return item
    try:
        data = item.read()
        image, notes, suffixes = examine(data)
    except (OSError, ValueError) as error:
        return item._replace(problem=str(error))
    if item.suffix and item.suffix.lower() not in suffixes:
        notes = (*notes, "suffix")
    if min(image.size) < TINY:
        notes = (*notes, "tiny")
    pixels = digest_pixels(image)
    square = image.width == image.height
    return item._replace(
        pixels=pixels,
        sha256=hashlib.sha256(data).hexdigest(),
        size=image.size,
        crop=pixels if square else digest_pixels(image.crop(find_crop(*image.size))),
        thumbnail=make_thumbnail(image),
        notes=notes,
    )


def digest_pixels(image: Image.Image) -> bytes:
    """Digest size and values of an RGB image."""
    return hashlib.sha256(b"%d %d " % image.size + image.tobytes()).digest()


def read_again(item: Item) -> bytes:
    """Read the bytes of an item once more.

    Raises:
        ValueError: they have changed since the inspection.
    """
    data = item.read()
    if item.sha256 and hashlib.sha256(data).hexdigest() != item.sha256:
        raise ValueError(f"{item.image_id} changed while the images stage was running; run again")
    return data
