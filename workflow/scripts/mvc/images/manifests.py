"""CSV manifests of image files and their classes. Standard library only: see `sources`."""

import csv
from collections.abc import Iterator
from pathlib import Path

from mvc.images.folders import normalise_name
from mvc.images.items import Item, make_file_item, settle_parts

PARTS = ("train", "validation", "test")
REQUIRED = ("path", "label")
COLUMNS = (*REQUIRED, "split", "group")


def read(manifest: Path) -> tuple[list[Item], list[str]]:
    """Read the images of a manifest, in its order, and its faults, one line each with the row.

    Columns are `path` (relative to the manifest), `label` (the class's name), and optionally
    `split` and `group`; others are not read. Comma-separated, UTF-8.

    Raises:
        ValueError: not such a table, or a column is missing; names the columns.
    """
    rows = _read_rows(manifest)
    parts = settle_parts([row.get("split") or "train" for row in rows.values()])
    items = [
        make_file_item(
            manifest.parent / row["path"],
            image_id=row["path"],
            class_name=normalise_name(row["label"]),
            part=part,
            group=row.get("group", ""),
        )
        for row, part in zip(rows.values(), parts, strict=True)
    ]
    return items, list(_list_faults(rows, manifest.parent))


def list_named_files(manifest: Path) -> list[Path]:
    """List the files that a manifest names, in its order; none if it cannot be read."""
    try:
        rows = _read_rows(manifest)
    except (OSError, ValueError):
        return []  # the loader reports what is wrong with it
    return [manifest.parent / row["path"] for row in rows.values()]


def _read_rows(manifest: Path) -> dict[int, dict[str, str]]:
    """The columns that are read, by the line of the file in which a row ends."""
    try:
        with open(manifest, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            columns = tuple(reader.fieldnames or ())
            missing = [name for name in REQUIRED if name not in columns]
            if missing:
                raise ValueError(
                    f"{manifest} has no column {' or '.join(missing)}; its columns are "
                    f"{', '.join(columns) or 'none'}; path and label are required, "
                    "split and group optional"
                )
            used = [name for name in COLUMNS if name in columns]
            rows = {}
            for row in reader:
                rows[reader.line_num] = {name: (row[name] or "").strip() for name in used}
            return rows
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{manifest} is not a CSV table in UTF-8: {error}") from error


def _list_faults(rows: dict[int, dict[str, str]], folder: Path) -> Iterator[str]:
    first: dict[str, int] = {}
    for number, row in rows.items():
        name, split = row["path"], row.get("split", "train")
        if not name:
            yield f"row {number}: no path"
        elif not (folder / name).is_file():
            yield f"row {number}: no file {name}"
        elif name in first:
            yield f"row {number}: {name} is in row {first[name]} already"
        if not row["label"]:
            yield f"row {number}: no label"
        if split not in PARTS:
            yield f"row {number}: split = {split!r}; must be one of {', '.join(PARTS)}"
        first.setdefault(name, number)
