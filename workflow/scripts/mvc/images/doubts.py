"""Doubts about folders that look like classes: what can be meant in two ways is refused.

A wrong guess would train on masks, or on the folds of a data set as if they were its classes.
Standard library only.
"""

import re
from collections import Counter
from collections.abc import Sequence

from mvc.images.folders import (
    DATA,
    Folder,
    describe_tree,
    format_suffixes,
    normalise_name,
    skip_wrappers,
)
from mvc.images.items import SHOWN
from mvc.images.parts import has_only_fillers, name_part

PICTURES = frozenset("image images img imgs jpegimages".split())  # names of a kind of file
MARKS = frozenset(
    "annotation annotations bbox gt groundtruth label labels mask masks segmentation segmentations "
    "segmentationclass segmentationobject".split()
)
MASK = re.compile(r"(.+?)[ _-]?(?:masks?|seg|segmentation)(?:[ _-]?\d+)?", re.IGNORECASE)


def check_classes(top: Folder, kept: Sequence[Folder]) -> None:
    """Refuse class folders that may not be the classes.

    Raises:
        ValueError: says both readings, what is there and the fix.
    """
    for folder in kept:
        _check_name(folder)
    _check_kinds(top, kept)
    _check_subfolders(top, kept)
    for folder in kept:
        _check_masks(folder)


def name_inner(folder: Folder) -> set[str]:
    """Name the folders in a folder, below folders around them."""
    return {inner.name for inner in skip_wrappers(folder).list_filled()}


def warn_of_empty(folder: Folder, part: str) -> str:
    """Warn of a class folder without images.

    Raises:
        ValueError: it holds data of another form, so that a class would be lost.
    """
    visible = folder.list_visible_others()
    if any(file.suffix.lower() in DATA for file in visible):
        raise ValueError(
            f"{folder.path}: a class folder without an image; it holds {format_suffixes(visible)}; "
            "convert (or unpack) its files to images, or move it away"
        )
    beside = f" but {format_suffixes(visible)}" if visible else ""
    return f"folder {folder.name!r} of {part} has no image{beside}"


def _check_name(folder: Folder) -> None:
    """Refuse a class whose name is unknown: it goes into captions."""
    try:
        folder.path.name.encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"{folder.path.parent}: the name of the class folder {folder.name!r} is not UTF-8; "
            "rename it (as with convmv -t utf8), or unpack its archive with the right encoding"
        ) from None


def _check_kinds(top: Folder, kept: Sequence[Folder]) -> None:
    """Refuse folders that are called for a kind of file, as `images` beside `masks`."""
    plain = {_reduce_name(folder.name) for folder in kept}
    if plain and (plain <= PICTURES | MARKS or (plain & PICTURES and plain & MARKS)):
        raise ValueError(
            f"{top.path}: {', '.join(repr(folder.name) for folder in kept)}: names of kinds of "
            "files, not of classes; name a folder of class folders, or list the images with their "
            f"labels (loader: csv){describe_tree(top)}"
        )


def _check_subfolders(top: Folder, kept: Sequence[Folder]) -> None:
    """Refuse classes that share the names of their subfolders, which may be the classes.

    Also subfolders called for a part or for masks, which would be trained on.
    """
    counts = Counter(name for folder in kept if not folder.own for name in name_inner(folder))
    odd = {
        inner.name
        for folder in kept
        for inner in folder.list_filled()
        if _reduce_name(inner.name) in MARKS
        or (has_only_fillers(inner.name) and name_part(inner.name))
    }
    shared = sorted(odd | {name for name in counts if counts[name] > 1 and len(counts) > 1})
    if shared:
        names = ", ".join(repr(folder.name) for folder in kept[:SHOWN])
        raise ValueError(
            f"{top.path}: the classes may be {names}, or the folders in them "
            f"({', '.join(map(repr, shared[:SHOWN]))}), which are in several of them, or called "
            "for a part or for masks; name the folder of the right ones as the path, or move them "
            "to <class>/, or train/<class>/ and test/<class>/, or list the images with their "
            f"labels (loader: csv){describe_tree(top)}"
        )


def _check_masks(folder: Folder) -> None:
    """Refuse masks that lie beside their images, as `a.png` and `a_mask.png`."""
    stems = {(file.parent, file.stem) for file in folder.images}
    masks = [
        file
        for file in folder.images
        if (match := MASK.fullmatch(file.stem)) and (file.parent, match[1]) in stems
    ]
    if masks:
        raise ValueError(
            f"{folder.path}: {len(masks)} of {len(folder.images)} images are called masks of "
            f"others (such as {normalise_name(masks[0].name)}) and would be trained on; "
            "move them away, or list the images with their labels (loader: csv)"
        )


def _reduce_name(name: str) -> str:
    return re.sub(r"[\W\d_]+", "", name.casefold())
