"""Inspection of image files: each is decoded once before its use, and compared at later reads."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

from mvc.console.progress import progress
from mvc.core.csv_tables import format_faults
from mvc.core.decoding import NOTES, examine
from mvc.core.square import find_crop
from mvc.images.copies import make_thumbnail
from mvc.images.folders import format_suffixes
from mvc.images.items import Item, summarise, summarise_files

TINY = 8  # pixels; a shorter side gives a warning
SHARE = 0.1  # of a class's files; a warning if this many or more are not used
# Camera files hold a small preview, which would be decoded in place of the picture.
CAMERA = frozenset(".arw .cr2 .cr3 .dng .nef .nrw .orf .pef .raf .raw .rw2 .srw".split())


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
    classes = _check_classes(inspected)
    notes = Counter(note for item in inspected for note in item.notes)
    tiny = notes["tiny"]
    small = [f"{tiny} image(s) have a side under {TINY} pixels"] if tiny else []
    unusable = summarise_files([item.image_id for item in inspected if item.problem])
    report = {
        "found": len(items),
        "converted": {note: notes[note] for note in (*NOTES, "suffix")},
        "skipped": unusable | summarise(bad),
        "warnings": small + classes,
    }
    return [item for item in inspected if not item.problem], report


def inspect(item: Item) -> Item:
    """Read and decode one file; one that cannot be used gets a `problem`, not an exception."""
    if item.problem:
        return item
    if item.suffix.lower() in CAMERA:
        return item._replace(problem="camera file; develop it, as to TIFF or JPEG")
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


def warn_of_unused(unused: Mapping[str, Sequence[str]], used: Mapping[str, int]) -> list[str]:
    """Warn of classes of which a share of the files, `SHARE` or more, is not used.

    Args:
        unused: names of files by class.
        used: number of files by class.
    """
    many = {
        name: files
        for name, files in unused.items()
        if files and len(files) >= SHARE * (len(files) + used.get(name, 0))
    }
    if not many:
        return []
    first = [
        f"{name!r} ({len(files)} of {len(files) + used.get(name, 0)}: {format_suffixes(files)})"
        for name, files in list(many.items())[:3]
    ]
    more = f" and of {len(many) - 3} more classes" if len(many) > 3 else ""
    return [f"files are not used of class {', '.join(first)}{more}"]


def _check_classes(inspected: Sequence[Item]) -> list[str]:
    """Refuse a class of which no file can be used; warn of one that loses a share of its files."""
    used = Counter(item.class_name for item in inspected if not item.problem)
    bad = defaultdict(list)
    for item in inspected:
        if item.problem and item.class_name:
            bad[item.class_name].append(item)
    for name, items in bad.items():
        if not used[name]:
            files = format_suffixes(item.image_id for item in items)
            raise ValueError(
                f"class {name!r} has no image that can be read; it has {files}; the first is "
                f"{items[0].image_id}: {items[0].problem}; convert its files or remove the class"
            )
    return warn_of_unused({n: [item.image_id for item in items] for n, items in bad.items()}, used)


def read_again(item: Item) -> bytes:
    """Read the bytes of an item once more.

    Raises:
        ValueError: they have changed since the inspection.
    """
    data = item.read()
    if item.sha256 and hashlib.sha256(data).hexdigest() != item.sha256:
        raise ValueError(f"{item.image_id} changed while the images stage was running; run again")
    return data
