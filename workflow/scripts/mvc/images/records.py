"""Images as records: files looked at one at a time and read again when written; or arrays.

What is looked at is forgotten, so memory does not grow with the number of files.
"""

import functools
import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Integer, UInt8

from mvc.console.progress import progress
from mvc.core.decoding import NOTES, encode_png, examine
from mvc.images.splits import Record

NAMED = 10  # files named in a message or listed in the report; the rest is counted
Loaded = tuple[tuple[str, ...], list[Record], dict]  # the classes by label, records, report
TINY = 8  # pixels; a side under this is worth a warning


class Item(NamedTuple):
    """One image file that a source names, before it is looked at."""

    image_id: str
    label: int
    part: str  # as in Record
    read: Callable[[], bytes]
    suffix: str = ""  # of the file's name; "" where it has none to compare with its format
    group: str = ""  # as in Record
    problem: str = ""  # why it cannot be used, where that is known already


class Look(NamedTuple):
    """What one look at a file found; `problem` where it cannot be used."""

    sha256: str = ""
    pixels: bytes = b""
    notes: tuple[str, ...] = ()
    side: int = 0  # shorter side, pixels
    problem: str = ""


def checked(
    items: Sequence[Item], *, unreadable: str, key: str, threads: int
) -> tuple[list[Record], dict]:
    """Look at every file; the records of those that can be used, and what the report says of all.

    Args:
        unreadable: "error" or "skip", for files that cannot be used.
        key: config key of the data set, for messages.
        threads: files looked at at the same time.

    Raises:
        ValueError: files cannot be used and are not to be skipped; names the first.
    """
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        looks = list(progress(pool.map(look, items), total=len(items), unit="images"))
    bad = [f"{i.image_id}: {x.problem}" for i, x in zip(items, looks, strict=True) if x.problem]
    if bad and unreadable == "error":
        raise ValueError(_refusal(bad, len(items), key))
    records = [
        Record(
            i.image_id,
            i.label,
            i.part,
            x.pixels,
            functools.partial(_read_again, i.read, x.sha256, i.image_id),
            i.group,
        )
        for i, x in zip(items, looks, strict=True)
        if not x.problem
    ]
    notes = Counter(note for x in looks for note in x.notes)
    tiny = sum(not x.problem and x.side < TINY for x in looks)
    report = {
        "found": len(items),
        "converted": {note: notes[note] for note in (*NOTES, "suffix")},
        "skipped": listed(bad),
        "warnings": [f"{tiny} image(s) have a side under {TINY} pixels"] if tiny else [],
    }
    return records, report


def look(item: Item) -> Look:
    """Read and decode one file; a file that cannot be used gives its reason, not an exception."""
    if item.problem:
        return Look(problem=item.problem)
    try:
        data = item.read()
        image, notes, suffixes = examine(data)
    except (OSError, ValueError) as error:
        return Look(problem=str(error))
    if item.suffix and item.suffix.lower() not in suffixes:
        notes = (*notes, "suffix")
    size = b"%d %d " % image.size
    pixels = hashlib.sha256(size + image.tobytes()).digest()
    return Look(hashlib.sha256(data).hexdigest(), pixels, notes, min(image.size))


def file_item(path: Path, *, image_id: str, label: int, part: str, group: str = "") -> Item:
    return Item(image_id, label, part, path.read_bytes, path.suffix, group)


def array_records(
    images: UInt8[np.ndarray, "n h w"] | UInt8[np.ndarray, "n h w 3"],
    labels: Integer[np.ndarray, "n"],
    *,
    name: str,
    part: str,
) -> list[Record]:
    """Records of pixels in memory, called `name/0`, `name/1`, …; each becomes a PNG when read."""
    return [
        Record(
            f"{name}/{i}",
            label,
            part,
            hashlib.sha256(pixels.tobytes()).digest(),
            functools.partial(encode_png, pixels),
        )
        for i, (pixels, label) in enumerate(zip(images, labels.tolist(), strict=True))
    ]


def settled(parts: Sequence[str]) -> list[str]:
    """The parts that a source names; without a test part, the test set is drawn from `train`."""
    drawn = "train" if "test" in parts else "all"
    return [drawn if part == "train" else part for part in parts]


def listed(names: Sequence[str]) -> dict:
    return {"count": len(names), "first": list(names[:NAMED])}


def lines(faults: Sequence[str]) -> str:
    """Faults for a message, one a line; the first of them, and how many more there are."""
    named = "".join(f"\n  {line}" for line in faults[:NAMED])
    return named + (f"\n  … and {len(faults) - NAMED} more" if len(faults) > NAMED else "")


def _read_again(read: Callable[[], bytes], sha256: str, name: str) -> bytes:
    data = read()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ValueError(f"{name} changed while the images stage was running; run again")
    return data


def _refusal(bad: Sequence[str], n: int, key: str) -> str:
    return (
        f"{len(bad)} of {n} image files cannot be used:{lines(bad)}\n"
        f"Mend or remove them, or set {key}.images.unreadable to skip, which leaves them out and "
        "counts them in report.json"
    )
