"""One image on its way from a loader to a split. Standard library only."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from mvc.images.folders import count_suffixes

SHOWN = 10  # names in a message or in the report; the rest is counted


class Item(NamedTuple):
    """One image: what its source says of it, and what `inspection` adds.

    `read` reads its bytes each time, so that memory does not grow with the data set.
    """

    image_id: str
    class_name: str
    part: str  # where the source keeps it: train, validation, test or oracle; all: it does not say
    read: Callable[[], bytes]
    group: str = (
        ""  # images of a group stay together in a split, as a patient's slices; "" for none
    )
    suffix: str = ""  # of the file's name; "" where it has none to compare with its format
    problem: str = ""  # why it cannot be used; "" where it can
    pixels: bytes = b""  # digest of size and RGB values
    sha256: str = ""  # of the bytes; "" for an array, which is encoded when it is read
    size: tuple[int, int] | None = None  # width and height; None for an array, which is square
    crop: bytes = b""  # digest of size and RGB values of the centre crop
    thumbnail: bytes = b""  # see `copies`
    notes: tuple[str, ...] = ()  # what is unusual about it: a conversion, a wrong suffix, its size


Loaded = tuple[tuple[str, ...], list[Item], dict]  # the classes by label, items, report


def make_file_item(
    path: Path, *, image_id: str, class_name: str, part: str, group: str = ""
) -> Item:
    """The item of an image file."""
    return Item(image_id, class_name, part, path.read_bytes, group, path.suffix)


def summarise(names: Sequence[str]) -> dict:
    """The number of names and the first of them, for the report."""
    return {"count": len(names), "first": list(names[:SHOWN])}


def summarise_files(names: Sequence[str]) -> dict:
    """Summarise names of files, also by suffix; "" counts those without one."""
    return summarise(names) | {"suffixes": count_suffixes(names)}
