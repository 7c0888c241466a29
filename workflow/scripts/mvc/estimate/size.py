"""How many images a data set gives the stages, known or counted before anything is read."""

import csv
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from mvc.config.catalogue import POOL, known_size
from mvc.config.catalogue import Size as Raw
from mvc.estimate.cost import Size
from mvc.images import folders


def measure(name: str, own: Mapping) -> Size:
    """Images of a data set after its splits.

    Args:
        name: of the data set, for messages.
        own: its `loader`, `path` and the sections `images` and `unet`.

    Raises:
        ValueError: a source whose images cannot be counted beforehand.
    """
    raw = known_size(own["loader"]) or count(name, own["loader"], own["path"])
    section, res = own["images"], own["unet"]["resolution"]
    test, side = raw.test, min(raw.side or res, res)
    limit = section["labels_per_class"]
    if own["loader"] == "fashion_mnist":
        kept = section["validation_per_class"] + (section["extra_per_class"] or 0)
        train = POOL - raw.classes * kept
        test = raw.classes * section["test_per_class"] if section["test_per_class"] else test
    else:
        drawn = 0 if test else round(section["test_fraction"] * raw.train)
        test = test or drawn
        train = raw.train - drawn - round(section["validation_fraction"] * raw.train)
    if limit is not None:
        train = min(train, limit * raw.classes)
    return Size(train, test, raw.classes, side)


def count(name: str, loader: str, path: str | None) -> Raw:
    """The images of a person's own data; their side stays 0, unknown.

    Raises:
        ValueError: an archive, whose images are not listed before it is unpacked.
    """
    place = Path(path or "")
    if loader == "imagefolder" and place.is_dir():
        entries = folders.scan(place).entries
        parts = Counter(entry.part for entry in entries)
        classes = len({entry.class_name for entry in entries})
        return Raw(len(entries) - parts["test"], parts["test"], classes, 0)
    if loader == "csv" and place.is_file():
        with open(place, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        test = sum(row.get("split") == "test" for row in rows)
        return Raw(len(rows) - test, test, len({row["label"] for row in rows}), 0)
    if loader == "huggingface" and place.exists():
        return _parquet(place)
    raise ValueError(
        f"datasets.{name}.path = {path}: the estimate counts folders, manifests and Parquet; "
        "unpack the archive and name its folder"
    )


def _parquet(place: Path) -> Raw:
    from mvc.images.loaders.registry import LOADERS

    classes, records, _ = LOADERS["huggingface"](
        {"path": str(place), "unreadable": "skip"}, key="estimate", data=Path("data"), threads=1
    )
    test = sum(record.part == "test" for record in records)
    return Raw(len(records) - test, test, len(classes), 0)
