"""Five disjoint splits of labelled image files from raw data, with a report.

train       the small labelled set, from which the generator and the classifiers learn
validation  for the choice of settings
extra       further real labelled images, for the diagnostics of the ceiling only
test        for the final evaluation only
oracle      training images of the oracle (Fashion-MNIST: none of the target pool)

Files keep their bytes. They are read one at a time, once for inspection and once for writing, so
that memory does not grow with the data set. Pixels that come as arrays are small: they stay in
memory and are written as PNG.
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
from mvc.images import names, shapes, splits
from mvc.images.copies import report_copies
from mvc.images.inspection import read_again
from mvc.images.items import Item, summarise
from mvc.images.loaders import registry

ROW_GROUP_BYTES = 16 * 2**20  # bounds the memory of writers and readers


class Built(NamedTuple):
    """The splits before they are written: items, classes by label, report, `images.fit`."""

    classes: tuple[str, ...]
    splits: dict[str, list[Item]]
    report: dict
    fit: str  # see `core.square`


def build_images(cfg: dict, *, name: str, data: Path, threads: int = 1) -> Built:
    """Find, check and split a data set.

    Args:
        cfg: the data set's settings, with `loader` and the root `seed`.
        name: of the data set, for messages.
        data: the project's data folder, for downloads and unpacked archives.
        threads: files inspected at the same time.

    Raises:
        FileNotFoundError: the data was not found; lists what was tried.
        ValueError: files cannot be used, or splits cannot be made; names them.
    """
    key = f"datasets.{name}"
    load = registry.FUNCTIONS[cfg["loader"]]
    classes, items, report = load(cfg, key=key, data=data, threads=threads)
    splits.check_classes(classes, key=key)
    items, copies = splits.drop_copies(items)
    if LOADERS[cfg["loader"]].per_class:
        parts = splits.split_by_numbers(items, classes, numbers=cfg, seed=cfg["seed"], key=key)
    else:
        parts = splits.split_by_fractions(items, classes, cfg=cfg, seed=cfg["seed"])
    found = Counter(item.class_name for item in items)
    fit = cfg.get("fit", "crop")
    sizes, of_sizes = shapes.report_shapes(items, fit=fit, key=key)
    alike, of_copies = report_copies(parts)
    warnings = [*report.pop("warnings"), *names.warn_of_names(found), *of_sizes, *of_copies]
    warnings += splits.check_splits(parts, classes, key=key)
    report |= {
        "classes": list(classes),
        "copies_dropped": {reason: summarise(ids) for reason, ids in copies.items()},
        "near_copies": alike,
        "shapes": sizes,
        "splits": {split: _count_classes(chosen, classes) for split, chosen in parts.items()},
        "groups": {
            split: len({item.group for item in chosen if item.group})
            for split, chosen in parts.items()
        },
        "used": sum(len(chosen) for chosen in parts.values()),
        "warnings": warnings,
    }
    return Built(classes, parts, report, fit)


def write_split(built: Built, split: str, path: str | Path) -> None:
    """Write one split's image table in row groups of bounded size."""
    batches = _read_batches(built.splits[split], built.classes)
    first = next(batches)
    meter = Meter(len(built.splits[split]), f"images of {split} written")
    written = 0
    schema = image_tables.mark_images(first.schema, fit=built.fit)
    with atomic(path) as temporary:
        with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
            for batch in itertools.chain([first], batches):
                writer.write_table(batch)
                written += len(batch)
                meter.show(written)


def list_held_out(tables: dict[str, pa.Table]) -> pa.Table:
    """List names and hashes of the images that the generator must not see.

    Args:
        tables: image tables of the held-out splits, by split.
    """
    return pa.concat_tables(
        table.select(["image_id", "sha256"]).append_column(
            "split", pa.array([split] * len(table), pa.string())
        )
        for split, table in tables.items()
    )


def _read_batches(items: Sequence[Item], classes: Sequence[str]) -> Iterator[pa.Table]:
    """Image tables of bounded size, at least one, so that an empty split has its columns."""
    start, size, data = 0, 0, []
    for stop, item in enumerate(items, 1):
        data.append(read_again(item))
        size += len(data[-1])
        if size >= ROW_GROUP_BYTES or len(data) == image_tables.ROW_GROUP:
            yield _make_table(items[start:stop], data, classes)
            start, size, data = stop, 0, []
    if data or not start:
        yield _make_table(items[start:], data, classes)


def _make_table(items: Sequence[Item], data: list[bytes], classes: Sequence[str]) -> pa.Table:
    labels = {name: label for label, name in enumerate(classes)}
    return image_tables.build_table(
        data=data,
        labels=[labels[item.class_name] for item in items],
        class_names=[item.class_name for item in items],
        image_ids=[item.image_id for item in items],
    )


def _count_classes(items: Sequence[Item], classes: Sequence[str]) -> dict:
    counts = Counter(item.class_name for item in items)
    return {"images": len(items), "per_class": {name: counts[name] for name in classes}}
