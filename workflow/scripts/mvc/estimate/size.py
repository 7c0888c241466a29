"""How many images a data set gives the stages, known or counted before anything is read."""

import csv
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from mvc.config.catalogue import LOADERS, Size
from mvc.images import folders


def measure(name: str, own: Mapping) -> Size:
    """Images of a data set after its splits.

    Args:
        name: of the data set, for messages.
        own: its `loader`, `path` and the sections `images` and `unet`.

    Raises:
        ValueError: a source whose images cannot be counted beforehand.
    """
    loader = LOADERS[own["loader"]]
    raw = loader.size or count(name, own["loader"], own["path"])
    section, res = own["images"], own["unet"]["resolution"]
    test, side = raw.test, min(raw.side or res, res)
    limit = section["labels_per_class"]
    if loader.per_class:
        kept = section["validation_per_class"] + (section["extra_per_class"] or 0)
        train = loader.pool - raw.classes * kept
        test = raw.classes * section["test_per_class"] if section["test_per_class"] else test
    else:
        drawn = 0 if test else round(section["test_fraction"] * raw.train)
        test = test or drawn
        train = raw.train - drawn - round(section["validation_fraction"] * raw.train)
    if limit is not None:
        train = min(train, limit * raw.classes)
    return Size(train, test, raw.classes, side)


def count(name: str, loader: str, path: str | None) -> Size:
    """The images of a person's own data; their side stays 0, unknown.

    Raises:
        ValueError: an archive, whose images are not listed before it is unpacked.
    """
    place = Path(path or "")
    if loader == "imagefolder" and place.is_dir():
        entries = folders.scan(place).entries
        parts = Counter(entry.part for entry in entries)
        classes = len({entry.class_name for entry in entries})
        return Size(len(entries) - parts["test"], parts["test"], classes, 0)
    if loader == "csv" and place.is_file():
        with open(place, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        test = sum(row.get("split") == "test" for row in rows)
        return Size(len(rows) - test, test, len({row["label"] for row in rows}), 0)
    if loader == "huggingface" and place.exists():
        return _parquet(place)
    raise ValueError(
        f"datasets.{name}.path = {path}: the estimate counts folders, manifests and Parquet; "
        "unpack the archive and name its folder"
    )


def _parquet(place: Path) -> Size:
    from mvc.images.loaders.huggingface import huggingface

    classes, records, _ = huggingface(
        {"path": str(place), "unreadable": "skip"}, key="estimate", data=Path("data"), threads=1
    )
    test = sum(record.part == "test" for record in records)
    return Size(len(records) - test, test, len(classes), 0)
