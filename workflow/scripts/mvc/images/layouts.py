"""Layouts of image folders: which folders are parts of a data set, and which are its classes.

Read are `<part>/<class>/`, `<class>/` and `<class>/<part>/`, with folders around any of them.
Standard library only.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mvc.images import doubts
from mvc.images.folders import (
    DATA,
    Folder,
    describe_tree,
    format_suffixes,
    has_classes,
    normalise_name,
    read_tree,
    skip_wrappers,
)
from mvc.images.items import SHOWN, Item, make_file_item
from mvc.images.parts import PARTS, assign_parts, has_only_fillers, name_part, settle


class Class(NamedTuple):
    """The files of one class in one part."""

    part: str
    name: str
    images: Sequence[Path]
    others: Sequence[Path]  # visible files that are no images


class Scan(NamedTuple):
    """What a data folder holds."""

    items: list[Item]  # `image_id` is the path inside the folder of the parts or classes
    unused: list[str]  # files that are hidden, in no class, or no images by their names
    warnings: list[str]
    others: dict[str, list[str]]  # by class, its visible files that are no images


def scan(root: Path) -> Scan:
    """Find the parts, classes and images of a data folder.

    Subfolders of a class belong to it; links are followed. Class names are normalised (NFC), so
    that one name typed on two systems stays one class.

    Raises:
        ValueError: there is no image in a class folder, the layout can be meant in two ways, or a
            class has files but no image; says what is there.
    """
    tree = read_tree(root)
    top = skip_wrappers(tree)
    labelled = [f for f in top.list_filled() if name_part(f.name) and has_classes(f)]
    found, warnings = _read_parts(top, labelled) if labelled else _read_plain(top)
    if not found:
        packed = any(file.suffix.lower() in DATA for file in tree.others)
        raise ValueError(
            f"{root}: no image in a class folder; it must hold <class>/ with image files, or "
            f"train/<class>/ and test/<class>/{describe_tree(tree)}"
            + ("\nUnpack archives in it, convert data, or see the other loaders" if packed else "")
        )
    if top.own:
        warnings.append(
            f"{len(top.own)} file(s) beside the folders of {top.name!r} are in no class and not "
            f"used: {format_suffixes(top.own)}"
        )
    files = [file for one in found for file in one.images]
    owners = [one for one in found for _ in one.images]
    items = [
        make_file_item(file, image_id=image_id, class_name=one.name, part=one.part)
        for file, one, image_id in zip(files, owners, _name_images(files, top.path), strict=True)
    ]
    used = set(files)
    unused = [file for file in tree.images if file not in used] + tree.others
    others: dict[str, list[str]] = {}
    for one in found:
        others.setdefault(one.name, []).extend(normalise_name(file.name) for file in one.others)
    return Scan(
        items, [normalise_name(file.relative_to(root)) for file in unused], warnings, others
    )


def _read_parts(top: Folder, labelled: Sequence[Folder]) -> tuple[list[Class], list[str]]:
    """Read the classes of `<part>/<class>/`."""
    try:
        parts = assign_parts([folder.name for folder in labelled])
    except ValueError as error:
        raise ValueError(f"{top.path}: {error}{describe_tree(top)}") from error
    if "train" not in parts.values() or len(parts) == 1:
        missing = "'test'" if "train" in parts.values() else "'train'"
        raise ValueError(
            f"{top.path} has a folder {', '.join(map(repr, parts))} of class folders but none "
            f"called {missing}; add it, or name {labelled[0].path} itself as the path for a seeded "
            f"split, or rename it if it is a class{describe_tree(top)}"
        )
    found, warnings = [], []
    for folder in sorted(labelled, key=lambda folder: PARTS.index(parts[folder.name])):
        part = parts[folder.name]
        inside = skip_wrappers(folder, part)
        classes, said = _read_classes(inside, part)
        found += classes
        warnings += said
        if inside.own:
            warnings.append(
                f"{len(inside.own)} file(s) beside the class folders of {folder.name!r} are in no "
                f"class and not used: {format_suffixes(inside.own)}"
            )
    for folder in top.list_filled():
        if folder not in labelled:
            why = "has no class folders" if name_part(folder.name) else "is no known part"
            n = len(folder.images)
            warnings.append(f"folder {folder.name!r} {why}: its {n} file(s) are not used")
    found, said = _settle(found)
    return found, warnings + said


def _read_plain(top: Folder) -> tuple[list[Class], list[str]]:
    """Read the classes of `<class>/` or `<class>/<part>/`."""
    inside = top.list_filled()
    flat = [f for f in inside if name_part(f.name) and has_only_fillers(f.name)]
    named = ", ".join(repr(folder.name) for folder in flat)
    if flat and len(flat) == len(inside):
        raise ValueError(
            f"{top.path}: no image in a class folder: {named} hold(s) images of unknown classes; "
            "sort them into train/<class>/ and test/<class>/, or list them with their labels "
            f"(loader: csv){describe_tree(top)}"
        )
    if flat and [name_part(folder.name) for folder in flat] != ["train"]:
        raise ValueError(
            f"{top.path}: {named} may be a class, or a part whose classes are unknown; rename it "
            "if it is a class; else move it away, or sort its images into class folders"
            f"{describe_tree(top)}"
        )
    parts = {name_part(part.name) for folder in inside for part in folder.list_filled()}
    if parts > {"train"} and all(map(_holds_parts, inside)):
        return _read_inner_parts(inside)
    found, warnings = _read_classes(top, "all")
    taken = [f"folder {named} is taken as a class, as those beside it, and not as a part"]
    return found, (taken if flat else []) + warnings


def _read_classes(top: Folder, part: str) -> tuple[list[Class], list[str]]:
    """Read the classes of one part; a folder that repeats its siblings is left out."""
    inside = top.list_filled()
    names = {folder.name for folder in inside}
    again = [f for f in inside if not f.own and len(names & doubts.name_inner(f)) > 1]
    kept = [folder for folder in inside if folder not in again]
    doubts.check_classes(top, kept)
    warnings = [
        f"folder {folder.name!r} repeats the class folders beside it: its {len(folder.images)} "
        "file(s) are not used"
        for folder in again
    ]
    warnings += [doubts.warn_of_empty(f, part) for f in top.folders if not f.images]
    inner = sorted({f.name for folder in kept for f in folder.list_filled()})
    if len(inner) > 1:
        shown = ", ".join(map(repr, inner[:SHOWN])) + (", …" if len(inner) > SHOWN else "")
        warnings.append(f"images of subfolders ({shown}) count as images of their class folder")
    return [Class(part, f.name, f.images, f.list_visible_others()) for f in kept], warnings


def _holds_parts(folder: Folder) -> bool:
    """Say whether a class folder holds nothing but parts, and they nothing but images."""
    inside = folder.list_filled()
    named = all(name_part(f.name) and has_only_fillers(f.name) for f in inside)
    return bool(inside) and named and not folder.own and not any(f.list_filled() for f in inside)


def _read_inner_parts(classes: Sequence[Folder]) -> tuple[list[Class], list[str]]:
    """Read the images of `<class>/<part>/`."""
    found = []
    for folder in classes:
        inside = folder.list_filled()
        parts = assign_parts([inner.name for inner in inside])
        for inner in sorted(inside, key=lambda inner: PARTS.index(parts[inner.name])):
            part, others = parts[inner.name], inner.list_visible_others()
            found.append(Class(part, folder.name, inner.images, others))
    return _settle(found)


def _settle(found: list[Class]) -> tuple[list[Class], list[str]]:
    """Use the validation part as the test set where the source has none."""
    parts, warnings = settle([one.part for one in found])
    return [one._replace(part=part) for one, part in zip(found, parts, strict=True)], warnings


def _name_images(files: Sequence[Path], root: Path) -> list[str]:
    """Name images by their NFC paths in the data folder; where two agree, the second exactly."""
    ids: dict[str, Path] = {}
    for file in files:
        inside = file.relative_to(root)
        name = normalise_name(inside)
        if name in ids:
            name = os.fsencode(inside).decode("utf-8", "backslashreplace")
        while name in ids:
            name += "'"
        ids[name] = file
    return list(ids)
