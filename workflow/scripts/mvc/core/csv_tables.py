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
# what is no UTF-8 text, by the bytes that begin a file
KINDS = {
    b"\xff\xfe": "it is in UTF-16",
    b"\xfe\xff": "it is in UTF-16",
    b"PK\x03\x04": "it is a workbook of Excel or a zip archive",
    b"\xd0\xcf\x11\xe0": "it is a workbook of old Excel",
    b"\x1f\x8b": "it is gzipped",
    b"PAR1": "it is Parquet",
}
# what sources call the columns of this project
SYNONYMS = {
    "path": "file filename file_name filepath file_path image img image_path image_file".split(),
    "label": "class class_name category target labels species diagnosis".split(),
    "image_id": "id path file filename file_name image".split(),
    "caption": "text captions description prompt".split(),
}


def read_rows(
    path: Path, required: Sequence[str], optional: Sequence[str] = ()
) -> tuple[dict[int, dict[str, str]], list[str]]:
    """Read the columns of a table that are used, and list the rows that have other fields.

    Args:
        required, optional: names of columns. Columns are separated by commas, semicolons or tabs,
            whichever gives the required ones.

    Returns:
        The values of all columns without blanks around them, by the line of the file in which a row
        ends, under the columns' names in lower case; faults, one line each with the row.

    Raises:
        ValueError: not such a table, a column is missing, or a name is there twice; names the
            columns.
    """
    text = _decode(path)
    first = _read_header(text, ",", clean=False)
    for delimiter in DELIMITERS:
        header = _read_header(text, delimiter)
        if set(required) <= set(header):
            break
    else:
        missing = [name for name in required if name not in _read_header(text, ",")]
        also = f", {' and '.join(optional)} optional" if optional else ""
        raise ValueError(
            f"{path} has no column {' or '.join(missing)}; its columns are "
            f"{', '.join(first) or 'none'} (as its first row says); {' and '.join(required)} are "
            f"required{also}{format_renames(missing, first)}"
        )
    if twice := [name for name, n in Counter(header).items() if n > 1 and name]:
        raise ValueError(
            f"{path} has the column {twice[0]!r} twice; its columns are {', '.join(first)}: rename "
            "or remove one"
        )
    try:
        return _read_body(text, delimiter, header)
    except csv.Error as error:
        raise ValueError(f"{path} is not a CSV table: {error}") from error


def format_renames(missing: Sequence[str], columns: Sequence[str]) -> str:
    """Suggest which columns are to be renamed, since they may be those that are missing."""
    plain = {name.strip().casefold(): name for name in columns}
    likely = [
        f"{plain[word]!r} to {name}" for name in missing for word in SYNONYMS[name] if word in plain
    ]
    return f"; rename {' or '.join(likely)}?" if likely else ""


def format_faults(faults: Sequence[str]) -> str:
    """Faults for a message, one per line: the first of them, and how many more there are."""
    lines = "".join(f"\n  {fault}" for fault in faults[:SHOWN])
    return lines + (f"\n  … and {len(faults) - SHOWN} more" if len(faults) > SHOWN else "")


def _decode(path: Path) -> str:
    data = path.read_bytes()
    kinds = [kind for mark, kind in KINDS.items() if data.startswith(mark)]
    try:
        if not kinds and b"\0" not in data:
            return data.decode("utf-8-sig")
        reason = kinds[0] if kinds else "it holds zero bytes, as UTF-16 does"
    except UnicodeDecodeError as error:
        row = data[: error.start].count(b"\n") + 1
        reason = f"row {row} has the byte 0x{data[error.start]:02x}, perhaps of Latin-1 or cp1252"
    raise ValueError(
        f"{path} is not a CSV table in UTF-8: {reason}; save it as UTF-8 (`CSV UTF-8` in Excel)"
    )


def _read_header(text: str, delimiter: str, *, clean: bool = True) -> list[str]:
    header = next(_open_reader(text, delimiter), [])
    return [name.strip().casefold() for name in header] if clean else header


def _open_reader(text: str, delimiter: str, **options: bool):
    """Read rows; a quote after a separator and blanks begins a quoted value."""
    lines = io.StringIO(text, newline="")
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True, **options)


def _read_body(
    text: str, delimiter: str, header: Sequence[str]
) -> tuple[dict[int, dict[str, str]], list[str]]:
    reader = _open_reader(text, delimiter, strict=True)
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
        rows[reader.line_num] = dict(zip(header, map(str.strip, fields), strict=True))
    return rows, faults
