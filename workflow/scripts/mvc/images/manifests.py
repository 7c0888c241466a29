"""A CSV table that names image files and their classes; and what changes when a source does.

Standard library only: the workflow asks for `source_digest` at each start.
"""

import csv
import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from mvc.images.folders import text, tree_digest

PARTS = ("train", "validation", "test")
REQUIRED = ("path", "label")


class Row(NamedTuple):
    """One image of a manifest."""

    number: int  # line of the file where the row ends
    path: Path
    name: str  # as the manifest has it
    label: str
    split: str  # of PARTS; "" where the manifest has no such column
    group: str  # "" where the manifest has none


def read(manifest: Path) -> tuple[list[Row], list[str]]:
    """The rows of a manifest, and what is wrong with it, one line a fault with its row's number.

    Columns are `path` (relative to the manifest), `label` (the class's name), and optionally
    `split` and `group`; others are not read. Comma-separated, UTF-8.

    Raises:
        ValueError: not such a table, or a column is missing; names those that there are.
    """
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
            rows = [_row(reader.line_num, line, manifest.parent) for line in reader]
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{manifest} is no CSV table in UTF-8: {error}") from error
    return rows, _faults(rows, "split" in columns)


def source_digest(loader: str, path: str | Path | None) -> str:
    """A digest that changes with the files that a loader reads: names, sizes, modification times.

    For a manifest that is the table and every file that it names. "" where there is no path.
    """
    if not path:
        return ""
    own = tree_digest(path)
    if loader != "csv" or not Path(path).is_file():
        return own
    try:
        rows, _ = read(Path(path))
    except (OSError, ValueError):
        return own  # the loader says what is wrong with it
    digest = hashlib.sha256(own.encode())
    for row in rows:
        try:
            status = os.stat(row.path)
        except (OSError, ValueError):
            continue
        digest.update(b"%d\0%d\0" % (status.st_size, status.st_mtime_ns))
    return digest.hexdigest()[: len(own)]


def _row(number: int, line: dict, folder: Path) -> Row:
    value = {name: (line.get(name) or "").strip() for name in (*REQUIRED, "split", "group")}
    name = value["path"]
    label = text(value["label"])
    return Row(number, folder / name, name, label, value["split"], value["group"])


def _faults(rows: list[Row], has_split: bool) -> list[str]:
    faults, first = [], {}
    for row in rows:
        if not row.name:
            faults.append(f"row {row.number}: no path")
        elif not row.path.is_file():
            faults.append(f"row {row.number}: no file {row.name}")
        elif row.name in first:
            faults.append(f"row {row.number}: {row.name} is in row {first[row.name]} already")
        if not row.label:
            faults.append(f"row {row.number}: no label")
        if has_split and row.split not in PARTS:
            faults.append(
                f"row {row.number}: split = {row.split!r}; must be one of {', '.join(PARTS)}"
            )
        first.setdefault(row.name, row.number)
    return faults
