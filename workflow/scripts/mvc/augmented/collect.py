"""Rows of the augmented data set: real and synthetic images, each with its provenance.

Leakage check: no image is a held-out one or was made from one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mvc.augmented import filenames
from mvc.core import image_tables
from mvc.core.image_tables import read_class_names
from mvc.core.leakage import check_disjoint, check_held_out
from mvc.synthetic.choice import Mark


@dataclass(frozen=True)
class Rows:
    """All rows of the data set without their image files, the real images first."""

    table: pa.Table  # columns of image tables, `synthetic`, provenance (null for real images)
    dropped: pa.Table  # synthetic images that are left out, in the same columns
    kept: np.ndarray  # of all rows of the files, which are in `table`
    classes: dict[int, str]
    folders: dict[str, str]  # class to the name of its folder


def collect(
    train: str, synthetic: Sequence[str], *, held_out: pa.Table, captions: pa.Table, bank: pa.Table
) -> tuple[pa.Table, pa.Table]:
    """Collect real and synthetic images, everything but the files, and check for data leakage.

    Args:
        train, synthetic: Parquet files of the real images, and the shards of the synthetic ones.
        held_out: the images of validation and test.
        captions, bank: captions of the real images, and recipes, which give the donors' names.

    Raises:
        ValueError: an image or its source is held out, a source is not a training image, an id
            occurs twice, or the real images lack a class.
    """
    real = image_tables.read(train, [c for c in image_tables.IMAGE_COLUMNS if c != "image"])
    columns = [c for c in pq.read_schema(synthetic[0]).names if c != "image"]
    generated = image_tables.read(synthetic, columns)
    check_held_out(real, held_out)
    for name in ("image_id", "source_image_id"):  # copies of pixels are dropped: `filters`
        check_held_out(generated.select([name]).rename_columns(["image_id"]), held_out)
    _check_sources(real, generated)
    return real, _add_donors(generated, captions["image_id"].to_pylist(), bank)


def merge_rows(real: pa.Table, generated: pa.Table, marks: Sequence[Mark]) -> Rows:
    """Join the real images and those of the synthetic ones that are kept."""
    kept = np.array([mark.kept for mark in marks], bool)
    columns = list(real.column_names)
    real = real.append_column("synthetic", pa.array([False] * len(real)))
    generated = generated.add_column(
        len(columns), "synthetic", pa.array([True] * len(generated))
    ).append_column("reason", pa.array([mark.reason for mark in marks], pa.string()))
    table = pa.concat_tables([real, generated.filter(kept)], promote_options="default")
    dropped = pa.concat_tables(
        [table.schema.empty_table(), generated.filter(~kept)], promote_options="default"
    )
    classes = read_class_names(real)
    folders = filenames.assign_names(list(classes.values()))
    return Rows(table, dropped, np.r_[np.ones(len(real), bool), kept], classes, folders)


def collect_held_out(path: str, rows: Rows) -> Rows:
    """Collect the real images of a held-out split, in the columns of the training rows.

    Raises:
        ValueError: one of them is among the training rows.
    """
    real = image_tables.read(path, [c for c in image_tables.IMAGE_COLUMNS if c != "image"])
    check_disjoint(real, rows.table)
    real = real.append_column("synthetic", pa.array([False] * len(real)))
    empty = rows.table.schema.empty_table()
    table = pa.concat_tables([empty, real], promote_options="default")
    return replace(rows, table=table, dropped=empty, kept=np.ones(len(real), bool))


def summarise_classes(rows: Rows) -> list[dict]:
    """Summarise each class: folder, ImageFolder's label, images: real, synthetic, left out."""
    dropped = rows.dropped["label"].to_numpy()
    labels, synthetic = rows.table["label"].to_numpy(), rows.table["synthetic"].to_numpy()
    order = sorted(rows.folders.values())
    return [
        {
            "label": label,
            "class_name": name,
            "folder": rows.folders[name],
            "imagefolder_label": order.index(rows.folders[name]),
            "real": int(((labels == label) & ~synthetic).sum()),
            "synthetic": int(((labels == label) & synthetic).sum()),
            "dropped": int((dropped == label).sum()),
        }
        for label, name in rows.classes.items()
    ]


def _check_sources(real: pa.Table, generated: pa.Table) -> None:
    known = pc.is_in(generated["source_image_id"], value_set=real["image_id"].combine_chunks())
    if strangers := generated.filter(pc.invert(known))["source_image_id"].to_pylist():
        raise ValueError(
            f"{len(strangers)} sources of synthetic images are not training images, the first "
            f"{strangers[0]!r}; delete the shards and run again"
        )
    ids = pa.concat_arrays([*real["image_id"].chunks, *generated["image_id"].chunks])
    if len(ids) != len(ids.unique()):
        raise ValueError("an image_id occurs twice; delete the shards and run again")
    classes, labelled = read_class_names(real), read_class_names(generated)
    foreign = {label: name for label, name in labelled.items() if classes.get(label) != name}
    if foreign:
        raise ValueError(
            f"synthetic images of classes without real images: {foreign}; delete the shards and "
            "run again"
        )


def _add_donors(generated: pa.Table, image_ids: Sequence[str], bank: pa.Table) -> pa.Table:
    """Add the images whose captions an embedding was mixed from: its base and its donors."""
    recipes = {row["bank_id"]: row for row in bank.to_pylist()}
    used = [recipes.get(i) for i in generated["bank_id"].to_pylist()]
    base = [None if row is None else image_ids[row["base"]] for row in used]
    donors = [
        None
        if row is None
        else sorted({image_ids[edit["donor"]] for edit in [*row["coarse"], *row["fine"]]})
        for row in used
    ]
    generated = generated.append_column("base_image_id", pa.array(base, pa.string()))
    return generated.append_column("donor_image_ids", pa.array(donors, pa.list_(pa.string())))
