"""The augmented data set as a folder to train on: real and synthetic images.

    train/<class>/real-….png, synthetic-….png     for torchvision's ImageFolder and timm
    data/train-00000-of-0000N.parquet             for Hugging Face `datasets`
    shards/train-00000-of-0000N.tar               for WebDataset
    validation/, test/, data/test-….parquet       real images alone, where they are asked for
    provenance.csv, classes.csv, README.md        where each image comes from; names; the card

Row i of the Parquet files is file number i of its split, and sample number i of the shards. Images
are streamed: memory holds a row group of them and the other columns of all rows.
"""

import csv
import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mvc.augmented import filenames
from mvc.augmented.collect import Rows, summarise_classes
from mvc.augmented.prepared import View, convert_to_png, encode_shown, find_original
from mvc.console.progress import Meter
from mvc.core import image_tables
from mvc.core.csv_cells import escape_cell
from mvc.core.image_set import prepare_pixels

PART = 10 * image_tables.ROW_GROUP  # images per Parquet file


class Shown(NamedTuple):
    """An image as it is delivered, with its row of the table."""

    row: Mapping
    file: str  # in the folder of its split
    data: bytes
    original: bytes | None  # the stored file, where the delivered one does not hold all of it


Write = Callable[[Sequence[Shown]], None]


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


def write(
    rows: Rows, files: Sequence[str], folder: Path, view: View, formats: Sequence[str]
) -> None:
    """Write the training images in each format, and the two CSV files.

    Args:
        files, view, formats: see `write_split`.
    """
    written = write_split(rows, files, folder, "train", view, formats)
    table = pa.concat_tables([rows.table, rows.dropped])
    file = pa.array([*written, *[None] * len(rows.dropped)], pa.string())
    table = table.add_column(0, "kept", file.is_valid()).add_column(0, "file", file)
    _write_csv(table.to_pylist(), table.column_names, folder / "provenance.csv")
    _write_csv(summarise_classes(rows), list(summarise_classes(rows)[0]), folder / "classes.csv")


def write_split(
    rows: Rows, files: Sequence[str], folder: Path, split: str, view: View, formats: Sequence[str]
) -> list[str]:
    """Write a split in each format; return the path of each image in class folders.

    Args:
        files: Parquet files that `rows` were collected from, in order.
        view: how classifiers see the images.
        formats: some of `FORMATS`.
    """
    written, meter = [], Meter(len(rows.table), "images written")
    with ExitStack() as stack:
        writers = [stack.enter_context(FORMATS[name](rows, folder, split)) for name in formats]
        for group in _read_groups(rows, files, view):
            for write_group in writers:
                write_group(group)
            written += [f"{split}/{image.file}" for image in group]
            meter.show(len(written))
    return written


@contextmanager
def open_folders(rows: Rows, folder: Path, split: str) -> Iterator[Write]:
    """Open class folders to write images into."""

    def write_group(group: Sequence[Shown]) -> None:
        for image in group:
            path = folder / split / image.file
            path.parent.mkdir(parents=True, exist_ok=True)  # ImageFolder refuses empty ones
            path.write_bytes(image.data)

    yield write_group


@contextmanager
def open_parquet(rows: Rows, folder: Path, split: str) -> Iterator[Write]:
    """Open Parquet files of at most `PART` images, at least one, to write row groups into."""
    schema, parts = make_schema(rows), max(-(-len(rows.table) // PART), 1)
    (folder / "data").mkdir(exist_ok=True)
    with ExitStack() as stack:
        writers = [
            stack.enter_context(pq.ParquetWriter(path, schema, compression="zstd"))
            for part in range(parts)
            for path in [folder / f"data/{split}-{part:05d}-of-{parts:05d}.parquet"]
        ]
        done = 0

        def write_group(group: Sequence[Shown]) -> None:
            nonlocal done
            table = rows.table.slice(done, len(group))
            names = [Path(image.file).name for image in group]
            images = [{"bytes": i.data, "path": n} for i, n in zip(group, names, strict=True)]
            table = table.append_column("image", pa.array(images, image_tables.IMAGE))
            originals = pa.array([image.original for image in group], pa.binary())
            table = table.append_column("original", originals).select(schema.names).cast(schema)
            writers[done // PART].write_table(table, row_group_size=image_tables.ROW_GROUP)
            done += len(group)

        yield write_group


@contextmanager
def open_shards(rows: Rows, folder: Path, split: str) -> Iterator[Write]:
    """Open WebDataset shards, one per row group, to write images into: picture, class and text.

    Pictures are PNG, since all samples must have the same fields. What only synthetic images have
    is one text (JSON): readers learn the types of fields from the first samples, real images.
    """
    shards, done = max(-(-len(rows.table) // image_tables.ROW_GROUP), 1), 0
    (folder / "shards").mkdir(exist_ok=True)

    def write_group(group: Sequence[Shown]) -> None:
        nonlocal done
        path = folder / f"shards/{split}-{done:05d}-of-{shards:05d}.tar"
        with tarfile.open(path, "w") as tar:
            for number, image in enumerate(group, done * image_tables.ROW_GROUP):
                key = f"{'synthetic' if image.row['synthetic'] else 'real'}-{number:07d}"
                for suffix, data in _list_members(image):
                    member = tarfile.TarInfo(f"{key}.{suffix}")
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))
        done += 1

    yield write_group


FORMATS = {"folders": open_folders, "parquet": open_parquet, "webdataset": open_shards}


def _list_members(image: Shown) -> Iterator[tuple[str, bytes]]:
    common = ("label", "class_name", "image_id", "sha256", "synthetic")
    more = {name: value for name, value in image.row.items() if name not in common}
    facts = {name: image.row[name] for name in common}
    facts["provenance"] = json.dumps(more if facts["synthetic"] else {}, ensure_ascii=False)
    yield "png", convert_to_png(image.data, Path(image.file).suffix)
    yield "cls", str(image.row["label"]).encode()
    yield "json", json.dumps(facts).encode()


def make_schema(rows: Rows) -> pa.Schema:
    """Make the Parquet files' schema: `image` opens as pictures, `label` as class names."""
    plain = rows.table.schema.insert(0, pa.field("image", image_tables.IMAGE))
    plain = plain.append(pa.field("original", pa.binary()))
    metadata = json.loads(image_tables.mark_images(plain).metadata[b"huggingface"])
    features = metadata["info"]["features"]
    features["donor_image_ids"] = {"feature": features["image_id"], "_type": "Sequence"}
    if list(rows.classes) == list(range(len(rows.classes))):
        features["label"] = {"names": list(rows.classes.values()), "_type": "ClassLabel"}
    return plain.with_metadata({"huggingface": json.dumps(metadata)})


def _read_groups(rows: Rows, files: Sequence[str], view: View) -> Iterator[list[Shown]]:
    """Read the images that are kept, in row groups, as they are delivered."""
    for first, images in _regroup(files, rows.kept):
        stored = [image["bytes"].as_py() for image in images]
        fed = prepare_pixels(stored, **view._asdict()).numpy()
        group = []
        for i, row in enumerate(rows.table.slice(first, len(images)).to_pylist()):
            data, suffix = encode_shown(stored[i], fed[i], row, grayscale=view.grayscale)
            file = _name_file(row, first + i, rows.folders, suffix)
            group.append(Shown(row, file, data, find_original(stored[i], data, fed[i], row)))
        yield group


def _regroup(files: Sequence[str], kept: np.ndarray) -> Iterator[tuple[int, pa.ChunkedArray]]:
    """Regroup the images that are kept into row groups of one size, each with its first row."""
    first, read, left = 0, 0, pa.chunked_array([], image_tables.IMAGE)
    for file in files:
        for batch in pq.ParquetFile(file).iter_batches(image_tables.ROW_GROUP, columns=["image"]):
            images = batch.column(0).filter(pa.array(kept[read : read + len(batch)]))
            read += len(batch)
            left = pa.chunked_array([*left.chunks, images], image_tables.IMAGE)
            while len(left) >= image_tables.ROW_GROUP:
                yield first, left[: image_tables.ROW_GROUP]
                first, left = first + image_tables.ROW_GROUP, left[image_tables.ROW_GROUP :]
    if len(left):
        yield first, left


def _name_file(row: Mapping, number: int, folders: Mapping[str, str], suffix: str) -> str:
    kind = "synthetic" if row["synthetic"] else "real"
    stem = filenames.escape_name(Path(row["image_id"]).stem, limit=80)
    return f"{folders[row['class_name']]}/{kind}-{number:07d}-{stem}{suffix}"


def _write_csv(rows: Sequence[Mapping], columns: Sequence[str], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)  # ends lines in CRLF, so that it quotes a CR
        writer.writeheader()
        for row in rows:
            writer.writerow({key: _format_cell(value) for key, value in row.items()})


def _format_cell(value: object) -> object:
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    return escape_cell(value) if isinstance(value, str) else value
