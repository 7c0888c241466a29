"""Parquet tables of images: written atomically, read with errors that name the remedy.

Every table of images has the columns `image` (struct of the file's bytes and its name), `label`,
`class_name`, `image_id` and `sha256`, so that it opens as an Image column in Hugging Face
`datasets`; synthetic shards add where each image comes from.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mvc.core.atomic import atomic

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
IMAGE_COLUMNS = ("image", "label", "class_name", "image_id", "sha256")
OWN = b"mvc."  # begins the names of this project's metadata
FIT = b"mvc.fit"  # in the metadata: how oblong images become squares, see `core.square`
ROW_GROUP = 1024  # images; bounds the memory of a reader that streams


def write(table: pa.Table, path: str | Path) -> None:
    """Write a table as Parquet (zstd); an `image` column is marked as a Hugging Face Image."""
    if "image" in table.column_names:
        table = table.cast(mark_images(table.schema))
    with atomic(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", row_group_size=ROW_GROUP)


def mark_images(schema: pa.Schema, *, fit: str | None = None) -> pa.Schema:
    """Mark the column `image` of a schema, so that Hugging Face `datasets` opens it as pictures.

    `fit` is what `get_fit` returns of the table; None keeps what the schema has, as of all metadata
    of this project.
    """
    features = {field.name: _describe_feature(field) for field in schema}
    kept = {k: v for k, v in (schema.metadata or {}).items() if k.startswith(OWN)}
    kept |= {FIT: fit} if fit else {}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return schema.with_metadata({**metadata, **kept})


def read(paths: str | Path | Sequence[str | Path], columns: list[str] | None = None) -> pa.Table:
    """Read one Parquet file, or several one after the other in the order given.

    Raises:
        ValueError: a file is missing its end or is not Parquet; the message names it.
    """
    paths = [paths] if isinstance(paths, str | Path) else list(paths)
    if not paths:
        raise ValueError("no Parquet files to read")
    return pa.concat_tables([_read_one(path, columns) for path in paths])


def build_table(
    *,
    data: Sequence[bytes],
    labels: Sequence[int],
    class_names: Sequence[str],
    image_ids: Sequence[str],
    suffix: str = "",
    **columns: pa.Array | Sequence,
) -> pa.Table:
    """Build an image table from file contents.

    Args:
        data: the bytes of n image files.
        labels, class_names, image_ids: n each.
        suffix: added to the image id to name the file, for instance `.png`.
        columns: further columns of n values each.
    """
    image = pa.array(
        [{"bytes": b, "path": i + suffix} for b, i in zip(data, image_ids, strict=True)], IMAGE
    )
    return pa.table(
        {
            "image": image,
            "label": pa.array(labels, pa.int64()),
            "class_name": pa.array(class_names, pa.string()),
            "image_id": pa.array(image_ids, pa.string()),
            "sha256": pa.array([hashlib.sha256(b).hexdigest() for b in data], pa.string()),
            **columns,
        }
    )


def get_bytes(table: pa.Table) -> list[bytes]:
    """The file contents of an image table's rows, in order."""
    return pc.struct_field(table["image"], "bytes").to_pylist()


def get_fit(table: pa.Table) -> str:
    """How a table's oblong images become squares: `images.fit` of their data set.

    Synthetic images, which are square, have none: crop.
    """
    return (table.schema.metadata or {}).get(FIT, b"crop").decode()


def read_class_names(table: pa.Table) -> dict[int, str]:
    """The name of each class in an image table by its label, in the order of labels."""
    pairs = zip(table["label"].to_pylist(), table["class_name"].to_pylist(), strict=True)
    return dict(sorted(set(pairs)))


def _read_one(path: str | Path, columns: list[str] | None) -> pa.Table:
    try:
        return pq.read_table(path, columns=columns)
    except (pa.ArrowInvalid, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(
            f"{path} is cut off or not a Parquet file ({error}); delete it and run again: "
            "only this file is made again"
        ) from error


def _describe_feature(field: pa.Field) -> dict:
    if field.name == "image":
        return {"_type": "Image"}
    if pa.types.is_string(field.type):
        return {"dtype": "string", "_type": "Value"}
    return {"dtype": str(field.type).replace("double", "float64"), "_type": "Value"}
