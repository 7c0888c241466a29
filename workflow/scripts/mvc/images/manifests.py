"""CSV manifests of image files and their classes. Standard library only: see `sources`."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from mvc.core.csv_tables import read_rows
from mvc.images.folders import normalise_name
from mvc.images.items import Item, make_file_item
from mvc.images.parts import WORDS, find_part_columns, name_part, settle, warn_of_groups

REQUIRED = ("path", "label")
OPTIONAL = ("split", "group")


def read(manifest: Path) -> tuple[list[Item], list[str], list[str]]:
    """Read the images of a manifest, in its order; its faults, with the row; and warnings.

    Columns are `path` (relative to the manifest), `label` (the class's name), and optionally
    `split` (words as those of folders) and `group`; others are not read, but one that seems to be
    the split is a fault.

    Raises:
        ValueError: not such a table, or a column is missing; names the columns.
    """
    rows, faults = read_rows(manifest, REQUIRED, OPTIONAL)
    folder = manifest.parent
    faults += _list_faults(rows, folder)
    unread = {
        name: {row[name] for row in rows.values()}
        for name in next(iter(rows.values()), {})
        if name and name not in (*REQUIRED, *OPTIONAL)
    }
    words = [row["split"] for row in rows.values() if row.get("split")]
    if not words and (likely := find_part_columns(unread)):
        faults.append(
            f"the column {likely[0]!r} holds {', '.join(sorted(unread[likely[0]]))}: rename it "
            "split, or remove it to have a test set drawn"
        )
    parts, warnings = settle(
        [name_part(word) or "train" for word in words] or ["train"] * len(rows)
    )
    warnings += warn_of_groups(unread if not any(row.get("group") for row in rows.values()) else ())
    if faults or len(parts) != len(rows):
        return [], faults, warnings
    items = [
        make_file_item(
            folder / _locate(row["path"], folder),
            image_id=_locate(row["path"], folder),
            class_name=normalise_name(row["label"]),
            part=part,
            group=row.get("group", ""),
        )
        for row, part in zip(rows.values(), parts, strict=True)
    ]
    return items, [], warnings


def list_named_files(manifest: Path) -> list[Path]:
    """List the files that a manifest names, in its order; none if it cannot be read."""
    try:
        rows, _ = read_rows(manifest, REQUIRED, OPTIONAL)
    except (OSError, ValueError):
        return []  # the loader reports what is wrong with it
    return [manifest.parent / _locate(row["path"], manifest.parent) for row in rows.values()]


def _locate(path: str, folder: Path) -> str:
    """The path of a file as it is on this system, where it was written on Windows."""
    plain = path.replace("\\", "/")
    return plain if plain != path and not (folder / path).is_file() else path


def _list_faults(rows: Mapping[int, Mapping[str, str]], folder: Path) -> Iterator[str]:
    first: dict[str, int] = {}
    for number, row in rows.items():
        name, split = _locate(row["path"], folder), row.get("split")
        plain = os.path.normpath(name)
        if not name:
            yield f"row {number}: no path"
        elif not (folder / name).is_file():
            yield f"row {number}: no file {row['path']}{_suggest(folder / name)}"
        elif plain in first:
            yield f"row {number}: {row['path']} is in row {first[plain]} already"
        if not row["label"]:
            yield f"row {number}: no label"
        if split and not name_part(split):
            yield f"row {number}: split = {split!r}; must be one of {', '.join(WORDS)}"
        first.setdefault(plain, number)
    without = [number for number, row in rows.items() if not row.get("split", "-")]
    if without and len(without) < len(rows):
        yield (
            f"{len(without)} of {len(rows)} rows have no split, row {without[0]} the first; give "
            "all rows one, or remove the column"
        )


def _suggest(file: Path) -> str:
    """What is there instead of a missing file: one whose name differs in case, or other files."""
    if not file.parent.is_dir():
        return f" (no folder {file.parent})"
    beside = sorted(os.listdir(file.parent))
    like = [name for name in beside if name.casefold() == file.name.casefold()]
    return f"; there is {like[0]}" if like else f"; beside it: {', '.join(beside[:3])}"
