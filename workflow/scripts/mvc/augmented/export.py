"""The augmented data set as a folder to train on: real and synthetic images.

    train/<class>/real-….png, synthetic-….png     for torchvision's ImageFolder
    data/train-00000-of-0000N.parquet             for Hugging Face `datasets`
    provenance.csv, classes.csv, README.md        where each image comes from; names; the card

Row i of the Parquet files is file number i. Images are streamed: memory holds a row group of them
and the other columns of all rows.
"""

import csv
import io
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from mvc.augmented import filenames
from mvc.augmented.collect import Rows, summarise_classes
from mvc.console.progress import Meter
from mvc.core import image_tables
from mvc.core.decoding import FORMATS, decode, encode_png

PART = 10 * image_tables.ROW_GROUP  # images per Parquet file
# Suffixes by format that ImageFolder lists; files of other formats are written as PNG.
SUFFIXES = {"JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "BMP": ".bmp", "TIFF": ".tiff"}
SUFFIXES |= {"WEBP": ".webp", "PPM": ".ppm"}


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
    """Write `train/`, `data/` and the two CSV files.

    Args:
        files: Parquet files that `rows` were collected from, in order.
    """
    schema, written = _make_schema(rows), []
    parts, meter = -(-len(rows.table) // PART), Meter(len(rows.table), "images written")
    groups = _regroup(files)
    (folder / "data").mkdir(parents=True)
    for part in range(parts):
        path = folder / f"data/train-{part:05d}-of-{parts:05d}.parquet"
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for first, images in islice(groups, PART // image_tables.ROW_GROUP):
                group = rows.table.slice(first, len(images))
                full = group.add_column(0, "image", images).select(schema.names).cast(schema)
                writer.write_table(full, row_group_size=image_tables.ROW_GROUP)
                written += _write_files(images, first, rows, folder / "train")
                meter.show(len(written))
    table = rows.table.add_column(0, "file", pa.array(written, pa.string()))
    _write_csv(table.to_pylist(), table.column_names, folder / "provenance.csv")
    _write_csv(summarise_classes(rows), list(summarise_classes(rows)[0]), folder / "classes.csv")


def _make_schema(rows: Rows) -> pa.Schema:
    """Make the Parquet files' schema: `image` opens as pictures, `label` as class names."""
    plain = rows.table.schema.insert(0, pa.field("image", image_tables.IMAGE))
    metadata = json.loads(image_tables.mark_images(plain).metadata[b"huggingface"])
    features = metadata["info"]["features"]
    features["donor_image_ids"] = {"feature": features["image_id"], "_type": "Sequence"}
    if list(rows.classes) == list(range(len(rows.classes))):
        features["label"] = {"names": list(rows.classes.values()), "_type": "ClassLabel"}
    return plain.with_metadata({"huggingface": json.dumps(metadata)})


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


def _write_files(images: pa.ChunkedArray, first: int, rows: Rows, folder: Path) -> Iterator[str]:
    """Write a row group's images into their classes' folders; yield their paths."""
    described = rows.table.select(["class_name", "image_id", "synthetic"])
    described = described.slice(first, len(images)).to_pylist()
    for i, (image, row) in enumerate(zip(images, described, strict=True), start=first):
        data, suffix = _convert_unlisted(image["bytes"].as_py())
        kind = "synthetic" if row["synthetic"] else "real"
        stem = filenames.escape_name(Path(row["image_id"]).stem, limit=80)
        file = Path(rows.folders[row["class_name"]], f"{kind}-{i:07d}-{stem}{suffix}")
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(data)
        yield f"train/{file.as_posix()}"


def _convert_unlisted(data: bytes) -> tuple[bytes, str]:
    """Convert an image file to PNG if ImageFolder does not list its format; add its suffix."""
    with Image.open(io.BytesIO(data), formats=(*FORMATS, "MPO")) as image:
        suffix = SUFFIXES.get(image.format)
    return (data, suffix) if suffix else (encode_png(np.asarray(decode(data))), ".png")


def _write_csv(rows: Sequence[Mapping], columns: Sequence[str], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            lists = {
                k: json.dumps(v, ensure_ascii=False) for k, v in row.items() if type(v) is list
            }
            writer.writerow({**row, **lists})
