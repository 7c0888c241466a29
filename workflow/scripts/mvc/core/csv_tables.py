"""CSV tables that users write, read strictly: what could be meant in two ways is a fault.

Standard library only: the workflow reads manifests while it is parsed.
"""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
SHOWN = 10  # faults in a message; the rest is counted
ENCODINGS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}  # by the mark that begins a file


def read_rows(
    path: Path, required: Sequence[str], optional: Sequence[str] = ()
) -> tuple[dict[int, dict[str, str]], list[str]]:
    """Read the columns of a table that are used, and list the rows that have other fields.

    Args:
        required, optional: names of columns, without regard to case and blanks around them; others
            are not read. Columns are separated by commas, semicolons or tabs, whichever gives the
            required ones.

    Returns:
        The values without blanks around them, by the line of the file in which a row ends; faults,
        one line each with the row.

    Raises:
        ValueError: not such a table, a column is missing, or a name is there twice; names the
            columns.
    """
    text = _decode(path)
    first = next(csv.reader(io.StringIO(text)), [])
    for delimiter in DELIMITERS:
        header = _read_header(text, delimiter)
        if set(required) <= set(header):
            break
    else:
        missing = [name for name in required if name not in _read_header(text, ",")]
        also = f", {' and '.join(optional)} optional" if optional else ""
        raise ValueError(
            f"{path} has no column {' or '.join(missing)}; its columns are "
            f"{', '.join(first) or 'none'}; {' and '.join(required)} are required{also}"
        )
    if twice := [name for name, n in Counter(header).items() if n > 1 and name]:
        raise ValueError(
            f"{path} has the column {twice[0]!r} twice; its columns are {', '.join(first)}: rename "
            "or remove one"
        )
    try:
        return _read_body(text, delimiter, header, {*required, *optional} & set(header))
    except csv.Error as error:
        raise ValueError(f"{path} is not a CSV table: {error}") from error


def format_faults(faults: Sequence[str]) -> str:
    """Faults for a message, one per line: the first of them, and how many more there are."""
    lines = "".join(f"\n  {fault}" for fault in faults[:SHOWN])
    return lines + (f"\n  … and {len(faults) - SHOWN} more" if len(faults) > SHOWN else "")


def _decode(path: Path) -> str:
    data = path.read_bytes()
    encoding = ENCODINGS.get(data[:2])
    try:
        if encoding is None:
            return data.decode("utf-8-sig")
        reason = f"it is in {encoding}"
    except UnicodeDecodeError as error:
        row = data[: error.start].count(b"\n") + 1
        reason = f"row {row} has the byte 0x{data[error.start]:02x}, perhaps of Latin-1 or cp1252"
    raise ValueError(
        f"{path} is not a CSV table in UTF-8: {reason}; save it as UTF-8 (`CSV UTF-8` in Excel)"
    )


def _read_header(text: str, delimiter: str) -> list[str]:
    header = next(csv.reader(io.StringIO(text), delimiter=delimiter), [])
    return [name.strip().casefold() for name in header]


def _read_body(
    text: str, delimiter: str, header: Sequence[str], used: set[str]
) -> tuple[dict[int, dict[str, str]], list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    next(reader)
    rows, faults = {}, []
    for fields in reader:
        if not any(field.strip() for field in fields):
            continue
        if len(fields) != len(header):
            shown = " | ".join(fields)
            faults.append(
                f"row {reader.line_num}: {len(fields)} fields ({shown[:80]}) under a header of "
                f"{len(header)}; quote values that hold a {DELIMITERS[delimiter][:-1]}"
            )
            continue
        values = dict(zip(header, map(str.strip, fields), strict=True))
        rows[reader.line_num] = {name: values[name] for name in header if name in used}
    return rows, faults
