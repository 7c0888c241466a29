"""The user's own captions, from a CSV or Parquet file."""

import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mvc.core.csv_tables import format_faults, format_renames, read_rows


def read_captions(path: str | Path, image_ids: Sequence[str]) -> list[str | None]:
    """Read the user's own captions of the training images; None where there is none, or no text.

    Args:
        path: CSV or Parquet with the columns `image_id` and `caption`; further rows are ignored.
        image_ids: the training images, in order.

    Raises:
        FileNotFoundError, ValueError: names the file, what is there and what is wrong with it.
    """
    path, where = Path(path), f"captions.file = {path}"
    if not path.is_file():
        raise FileNotFoundError(f"{where}: no such file")
    rows = _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_csv(path)
    texts: dict[str, tuple[int, str]] = {}
    for number, (name, text) in rows.items():
        name = unicodedata.normalize("NFC", name.replace("\\", "/"))
        if texts.setdefault(name, (number, text))[1] != text:
            raise ValueError(
                f"{where}: row {number}: {name} has another caption in row {texts[name][0]}"
            )
    if not any(name in texts for name in image_ids):
        raise ValueError(
            f"{where}: none of its {len(texts):,} rows is of a training image; its image_id are "
            f"like {next(iter(texts), 'none')!r}, those of the images like {image_ids[0]!r} (the "
            "column image_id of images/train.parquet)"
        )
    return [texts.get(name, (0, ""))[1] or None for name in image_ids]


def check_complete(
    texts: Sequence[str | None], image_ids: Sequence[str], *, path: str | Path
) -> None:
    """Refuse captions of which some are missing.

    Raises:
        ValueError: says how many, names the first, and the key that fills them.
    """
    missing = [name for name, text in zip(image_ids, texts, strict=True) if text is None]
    if missing:
        raise ValueError(
            f"captions.file = {path}: no caption for {len(missing):,} of {len(texts):,} training "
            f"images, {missing[0]} the first; add them, or set captions.missing to blip2, so that "
            "BLIP-2 writes them"
        )


def _read_csv(path: Path) -> dict[int, tuple[str, str]]:
    """Image and caption by row of a CSV file."""
    rows, faults = read_rows(path, ("image_id", "caption"))
    if faults:
        raise ValueError(f"captions.file = {path}: {len(faults)} fault(s):{format_faults(faults)}")
    return {number: (row["image_id"], row["caption"]) for number, row in rows.items()}


def _read_parquet(path: Path) -> dict[int, tuple[str, str]]:
    """Image and caption by row of a Parquet file, counted from 1."""
    try:
        table = pq.read_table(path)
    except pa.ArrowException as error:
        raise ValueError(f"captions.file = {path} is not Parquet: {error}") from error
    if absent := [name for name in ("image_id", "caption") if name not in table.column_names]:
        raise ValueError(
            f"captions.file = {path} has no column {' or '.join(absent)}; its columns are "
            f"{', '.join(table.column_names)}{format_renames(absent, table.column_names)}"
        )
    columns = [table[name].to_pylist() for name in ("image_id", "caption")]
    if not all(isinstance(value, str | None) or value != value for value in columns[1]):
        raise ValueError(
            f"captions.file = {path}: the column caption is {table['caption'].type}; must be text"
        )
    return {
        i: (str(name), " ".join(text.split()) if isinstance(text, str) else "")
        for i, (name, text) in enumerate(zip(*columns, strict=True), 1)
    }
