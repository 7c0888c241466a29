"""The augmented data set as a folder to train on: real and synthetic images.

    train/<class>/real-….png, synthetic-….png     for torchvision's ImageFolder
    data/train-00000-of-0000N.parquet             for Hugging Face `datasets`
    validation/, test/, data/test-….parquet       real images alone, where they are asked for
    provenance.csv, classes.csv, README.md        where each image comes from; names; the card

Row i of the Parquet files is file number i of its split. Images are streamed: memory holds a row
group of them and the other columns of all rows.
"""

import csv
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mvc.augmented import filenames
from mvc.augmented.collect import Rows, summarise_classes
from mvc.augmented.shown import convert_shown
from mvc.console.progress import Meter
from mvc.core import image_tables

PART = 10 * image_tables.ROW_GROUP  # images per Parquet file


@contextmanager
def replace_folder(folder: str | Path) -> Iterator[Path]:
    """Yield a temporary folder that replaces `folder` if the block succeeds; else remove it."""
    folder = Path(folder)
    temporary = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write(rows: Rows, files: Sequence[str], folder: Path) -> None:
    """Write `train/`, its Parquet files and the two CSV files.

    Args:
        files: Parquet files that `rows` were collected from, in order.
    """
    written = write_split(rows, files, folder, "train")
    table = rows.table.add_column(0, "file", pa.array(written, pa.string()))
    _write_csv(table.to_pylist(), table.column_names, folder / "provenance.csv")
    _write_csv(summarise_classes(rows), list(summarise_classes(rows)[0]), folder / "classes.csv")


def write_split(rows: Rows, files: Sequence[str], folder: Path, split: str) -> list[str]:
    """Write a split as class folders and Parquet; return the path of each image.

    Args:
        files: Parquet files that `rows` were collected from, in order.
    """
    schema, written = _make_schema(rows), []
    parts, meter = max(-(-len(rows.table) // PART), 1), Meter(len(rows.table), "images written")
    groups = _regroup(files)
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for part in range(parts):
        path = folder / f"data/{split}-{part:05d}-of-{parts:05d}.parquet"
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for first, images in islice(groups, PART // image_tables.ROW_GROUP):
                group = rows.table.slice(first, len(images))
                kept, shown = [image["bytes"].as_py() for image in images], []
                for i, (data, row) in enumerate(zip(kept, group.to_pylist(), strict=True), first):
                    shown.append(_write_file(data, row, i, rows.folders, folder / split))
                written += [f"{split}/{file}" for _, file in shown]
                columns = {"image": _pack_images(shown), "original": _pack_originals(kept, shown)}
                for name, values in columns.items():
                    group = group.append_column(name, values)
                writer.write_table(
                    group.select(schema.names).cast(schema), row_group_size=image_tables.ROW_GROUP
                )
                meter.show(len(written))
    return written


def _make_schema(rows: Rows) -> pa.Schema:
    """Make the Parquet files' schema: `image` opens as pictures, `label` as class names."""
    plain = rows.table.schema.insert(0, pa.field("image", image_tables.IMAGE))
    plain = plain.append(pa.field("original", pa.binary()))
    metadata = json.loads(image_tables.mark_images(plain).metadata[b"huggingface"])
    features = metadata["info"]["features"]
    features["donor_image_ids"] = {"feature": features["image_id"], "_type": "Sequence"}
    if list(rows.classes) == list(range(len(rows.classes))):
        features["label"] = {"names": list(rows.classes.values()), "_type": "ClassLabel"}
    return plain.with_metadata({"huggingface": json.dumps(metadata)})


def _pack_images(shown: Sequence[tuple[bytes, str]]) -> pa.Array:
    """The column of images as they are shown."""
    values = [{"bytes": data, "path": Path(file).name} for data, file in shown]
    return pa.array(values, image_tables.IMAGE)


def _pack_originals(kept: Sequence[bytes], shown: Sequence[tuple[bytes, str]]) -> pa.Array:
    """The column of the original bytes, null where they are those that are shown."""
    pairs = zip(kept, shown, strict=True)
    return pa.array([None if data == new else data for data, (new, _) in pairs], pa.binary())


def _regroup(files: Sequence[str]) -> Iterator[tuple[int, pa.ChunkedArray]]:
    """Regroup the images of all files into row groups of one size, each with its first row."""
    first, kept = 0, pa.chunked_array([], image_tables.IMAGE)
    for file in files:
        for batch in pq.ParquetFile(file).iter_batches(image_tables.ROW_GROUP, columns=["image"]):
            kept = pa.chunked_array([*kept.chunks, batch.column(0)], image_tables.IMAGE)
            while len(kept) >= image_tables.ROW_GROUP:
                yield first, kept[: image_tables.ROW_GROUP]
                first, kept = first + image_tables.ROW_GROUP, kept[image_tables.ROW_GROUP :]
    if len(kept):
        yield first, kept


def _write_file(
    data: bytes, row: Mapping, number: int, folders: Mapping[str, str], folder: Path
) -> tuple[bytes, str]:
    """Write an image, as it is shown, into its class's folder; return its bytes and its path."""
    data, suffix = (data, ".png") if row["synthetic"] else convert_shown(data)
    kind = "synthetic" if row["synthetic"] else "real"
    stem = filenames.escape_name(Path(row["image_id"]).stem, limit=80)
    file = Path(folders[row["class_name"]], f"{kind}-{number:07d}-{stem}{suffix}")
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_bytes(data)
    return data, file.as_posix()


def _write_csv(rows: Sequence[Mapping], columns: Sequence[str], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            lists = {
                k: json.dumps(v, ensure_ascii=False) for k, v in row.items() if type(v) is list
            }
            writer.writerow({**row, **lists})
