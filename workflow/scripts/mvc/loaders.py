"""The two kinds of raw data, as records: what can be used, and a report of what cannot.

A folder's files are read one at a time and forgotten, so memory does not grow with their number.
"""

import functools
import hashlib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from mvc import folders, sources
from mvc.decoding import NOTES, examine, png
from mvc.splits import Record
from mvc.stage import progress

NAMED = 10  # files named in a message or listed in the report; the rest is counted
POOL = 10_000  # Fashion-MNIST's training images, from the last, of which the target's are taken
TINY = 8  # pixels; a side under this is worth a warning


class Look(NamedTuple):
    """What one look at a file found; `problem` where it cannot be used."""

    sha256: str = ""
    pixels: bytes = b""
    notes: tuple[str, ...] = ()
    side: int = 0  # shorter side, pixels
    problem: str = ""


def fashion_mnist(cfg: dict, key: str, data: Path) -> tuple[tuple[str, ...], list[Record], dict]:
    """Fashion-MNIST's records: the last `POOL` training images, the test set, and the rest.

    The rest is the corpus of the miniature foundation models, apart from the target's images.
    """
    arrays, source, failures = sources.find(cfg["path"], data=data, key=f"{key}.path")
    n = len(arrays.train_labels)
    records = []
    for side, images, labels in (
        ("train", arrays.train_images, arrays.train_labels),
        ("test", arrays.test_images, arrays.test_labels),
    ):
        for i, (pixels, label) in enumerate(zip(images, labels.tolist(), strict=True)):
            part = "judge" if side == "train" and i < n - POOL else side
            digest = hashlib.sha256(pixels.tobytes()).digest()
            read = functools.partial(png, pixels)
            records.append(Record(f"{side}/{i}", label, part, digest, read))
    report = {"loader": "fashion_mnist", "source": source, "tried": failures, "warnings": []}
    return sources.CLASSES, records, report | {"found": len(records)}


def imagefolder(cfg: dict, key: str, threads: int) -> tuple[tuple[str, ...], list[Record], dict]:
    """The records of a person's folders, with what was converted, skipped or not used."""
    root = Path(cfg["path"] or "")
    if not cfg["path"] or not root.is_dir():
        raise FileNotFoundError(
            f"{key}.path = {cfg['path']}: no such folder; name the folder that holds "
            "train/<class>/ and test/<class>/, or <class>/"
        )
    entries, unused, empty = folders.scan(root)
    if not entries:
        raise ValueError(f"{key}.path = {root}: no image in a class folder")
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        looks = pool.map(look, (entry.path for entry in entries))
        looks = list(progress(looks, total=len(entries), unit="images"))
    bad = [f"{e.image_id}: {x.problem}" for e, x in zip(entries, looks, strict=True) if x.problem]
    if bad and cfg["unreadable"] == "error":
        raise ValueError(_refusal(bad, len(entries), key))
    classes = tuple(sorted({entry.class_name for entry in entries}))
    records = [
        Record(e.image_id, classes.index(e.class_name), e.part, x.pixels,
               functools.partial(_read_again, e.path, x.sha256))
        for e, x in zip(entries, looks, strict=True)
        if not x.problem
    ]  # fmt: skip
    notes = Counter(note for x in looks for note in x.notes)
    warnings = [f"folder {name!r} of {part} has no image" for part, name in empty]
    tiny = sum(not x.problem and x.side < TINY for x in looks)
    if tiny:
        warnings.append(f"{tiny} image(s) have a side under {TINY} pixels")
    report = {
        "loader": "imagefolder",
        "source": str(root),
        "found": len(entries),
        "converted": {note: notes[note] for note in (*NOTES, "suffix")},
        "skipped": listed(bad),
        "not_used": listed(unused),
        "warnings": warnings,
    }
    return classes, records, report


def look(path: Path) -> Look:
    """Read and decode one file; a file that cannot be used gives its reason, not an exception."""
    try:
        data = path.read_bytes()
        image, notes, suffixes = examine(data)
    except (OSError, ValueError) as error:
        return Look(problem=str(error))
    if path.suffix.lower() not in suffixes:
        notes = (*notes, "suffix")
    size = b"%d %d " % image.size
    pixels = hashlib.sha256(size + image.tobytes()).digest()
    return Look(hashlib.sha256(data).hexdigest(), pixels, notes, min(image.size))


def _read_again(path: Path, sha256: str) -> bytes:
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ValueError(f"{path} changed while the images stage was running; run again")
    return data


def listed(names: Sequence[str]) -> dict:
    return {"count": len(names), "first": list(names[:NAMED])}


def _refusal(bad: Sequence[str], n: int, key: str) -> str:
    named = "".join(f"\n  {line}" for line in bad[:NAMED])
    more = f"\n  … and {len(bad) - NAMED} more" if len(bad) > NAMED else ""
    return (
        f"{len(bad)} of {n} image files cannot be used:{named}{more}\n"
        f"Mend or remove them, or set {key}.images.unreadable to skip, which leaves them out and "
        "counts them in report.json"
    )
