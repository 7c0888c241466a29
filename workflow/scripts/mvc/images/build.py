"""Raw data to five disjoint splits of labelled image files, with a report of all that was met.

train       the small labelled set: all that the generator and the classifiers learn from
validation  settings are tuned on it
extra       further real labelled images, for the ceiling diagnostics only
test        read by the final evaluation only
oracle       the label-agreement oracle learns from it (Fashion-MNIST: not of the target pool)

Files keep their bytes. They are read one at a time, twice: once to look at them, once to write
them, so that memory does not grow with the data set. Pixels that come as arrays are small and stay
in memory; they are written as PNG.
"""

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from mvc.config.catalogue import LOADERS
from mvc.console.progress import Meter
from mvc.core import image_tables
from mvc.core.atomic import atomic
from mvc.images import splits
from mvc.images.loaders import registry
from mvc.images.records import listed
from mvc.images.splits import Record, fraction_splits

ROW_GROUP_BYTES = 16 * 2**20  # bounds the memory of writers and readers


class Built(NamedTuple):
    """The splits before they are written: records, the classes by label, and the report."""

    classes: tuple[str, ...]
    splits: dict[str, list[Record]]
    report: dict


def build_images(cfg: dict, *, name: str, data: Path, threads: int = 1) -> Built:
    """Find, check and split a data set.

    Args:
        cfg: the data set's settings, with `loader` and the root `seed`.
        name: of the data set, for messages.
        data: the project's data folder, for downloads and unpacked archives.
        threads: files looked at at the same time.

    Raises:
        FileNotFoundError: the data is nowhere to be found; lists what was tried.
        ValueError: files that cannot be used, or splits that cannot be made; names them.
    """
    key = f"datasets.{name}"
    load = registry.FUNCTIONS[cfg["loader"]]
    classes, records, report = load(cfg, key=key, data=data, threads=threads)
    records, copies = splits.drop_copies(records)
    if LOADERS[cfg["loader"]].per_class:
        parts = splits.sized_splits(records, classes, sizes=cfg, seed=cfg["seed"], key=key)
    else:
        parts = fraction_splits(records, classes, cfg=cfg, seed=cfg["seed"])
    warnings = report.pop("warnings") + splits.check(parts, classes, key=key)
    report |= {
        "classes": list(classes),
        "copies_dropped": {reason: listed(ids) for reason, ids in copies.items()},
        "splits": {split: _counts(rows, classes) for split, rows in parts.items()},
        "groups": {
            split: len({row.group for row in rows if row.group}) for split, rows in parts.items()
        },
        "used": sum(len(rows) for rows in parts.values()),
        "warnings": warnings,
    }
    return Built(classes, parts, report)


def write_split(built: Built, split: str, path: str | Path) -> None:
    """Write one split's image table in row groups of bounded size."""
    batches = _batches(built.splits[split], built.classes)
    first = next(batches)
    meter, written = Meter(len(built.splits[split]), f"images of {split} written"), 0
    schema = image_tables.mark_images(first.schema)
    with atomic(path) as temporary:
        with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
            for batch in itertools.chain([first], batches):
                writer.write_table(batch)
                written += len(batch)
                meter.show(written)


def held_out_table(tables: dict[str, pa.Table]) -> pa.Table:
    """Names and hashes of what the generator must not see.

    Args:
        tables: image tables of held-out splits by the split's name.
    """
    return pa.concat_tables(
        table.select(["image_id", "sha256"]).append_column(
            "split", pa.array([split] * len(table), pa.string())
        )
        for split, table in tables.items()
    )


def _batches(records: Sequence[Record], classes: Sequence[str]) -> Iterator[pa.Table]:
    """Image tables of bounded size, at least one, so that an empty split has its columns."""
    start, size, data = 0, 0, []
    for stop, record in enumerate(records, 1):
        data.append(record.read())
        size += len(data[-1])
        if size >= ROW_GROUP_BYTES or len(data) == image_tables.ROW_GROUP:
            yield _table(records[start:stop], data, classes)
            start, size, data = stop, 0, []
    if data or not start:
        yield _table(records[start:], data, classes)


def _table(records: Sequence[Record], data: list[bytes], classes: Sequence[str]) -> pa.Table:
    return image_tables.build_table(
        data=data,
        labels=[r.label for r in records],
        class_names=[classes[r.label] for r in records],
        image_ids=[r.image_id for r in records],
    )


def _counts(records: Sequence[Record], classes: Sequence[str]) -> dict:
    counts = Counter(record.label for record in records)
    per_class = {name: counts[label] for label, name in enumerate(classes)}
    return {"images": len(records), "per_class": per_class}
