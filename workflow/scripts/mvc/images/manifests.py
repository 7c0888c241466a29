"""A CSV table that names image files and their classes; and what changes when a source does.

Standard library only: the workflow asks for `digest_source` at each start.
"""

import csv
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from mvc.images.folders import digest_tree, normalise_name
from mvc.images.items import Item, make_file_item, settle_parts

PARTS = ("train", "validation", "test")
REQUIRED = ("path", "label")
COLUMNS = (*REQUIRED, "split", "group")


def read(manifest: Path) -> tuple[list[Item], list[str]]:
    """The images of a manifest, in its order, and its faults, one line each with its row's number.

    Columns are `path` (relative to the manifest), `label` (the class's name), and optionally
    `split` and `group`; others are not read. Comma-separated, UTF-8.

    Raises:
        ValueError: not such a table, or a column is missing; names those that there are.
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


def digest_source(loader: str, path: str | Path | None) -> str:
    """A digest that changes with the files that a loader reads: names, sizes, modification times.

    For a manifest that is the table and every file that it names. "" where there is no path.
    """
    if not path:
        return ""
    digest = digest_tree(path)
    if loader != "csv" or not Path(path).is_file():
        return digest
    try:
        rows = _read_rows(Path(path))
    except (OSError, ValueError):
        return digest  # the loader says what is wrong with it
    whole = hashlib.sha256(digest.encode())
    for row in rows.values():
        try:
            status = os.stat(Path(path).parent / row["path"])
        except (OSError, ValueError):
            continue
        whole.update(b"%d\0%d\0" % (status.st_size, status.st_mtime_ns))
    return whole.hexdigest()[: len(digest)]


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
                    f"{', '.join(columns) or 'none'}; wanted: path, label and perhaps split, group"
                )
            used = [name for name in COLUMNS if name in columns]
            rows = {}
            for row in reader:
                rows[reader.line_num] = {name: (row[name] or "").strip() for name in used}
            return rows
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{manifest} is no CSV table in UTF-8: {error}") from error


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
