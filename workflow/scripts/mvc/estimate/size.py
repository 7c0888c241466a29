"""Size of a data set: how many images the stages get, known or counted before any is read."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from mvc.config.catalogue import LOADERS, Loader
from mvc.core.counts import split_evenly
from mvc.estimate.cost import Size
from mvc.images import layouts, manifests
from mvc.images.items import Item
from mvc.images.splits import split_by_fractions


def measure(name: str, settings: Mapping) -> Size:
    """Measure a data set by the images of its splits.

    Args:
        name: of the data set, for error messages.
        settings: its `loader`, `path` and the sections `images` and `unet`.

    Raises:
        ValueError: the images cannot be counted beforehand.
    """
    loader = LOADERS[settings["loader"]]
    if loader.size:
        return _split_published(loader, settings["images"], settings["unet"]["resolution"])
    items = list_images(name, settings["loader"], settings["path"])
    classes = sorted({item.class_name for item in items})
    # A seed says which images are drawn; how many, only where groups are kept together.
    splits = split_by_fractions(items, classes, cfg=settings["images"], seed=0)
    labelled = Counter(item.class_name for item in splits["train"])
    sizes = tuple(labelled[class_name] for class_name in classes)
    side = settings["unet"]["resolution"]
    return Size(sizes, len(splits["test"]), side, tuple(classes))


def list_images(name: str, loader: str, path: str | None) -> Sequence[Item]:
    """List the images of the user's own data; only those of Hugging Face data sets are read.

    Raises:
        ValueError: the path is an archive, whose images cannot be listed before it is unpacked.
    """
    place = Path(path or "")
    if loader == "imagefolder" and place.is_dir():
        return layouts.scan(place).items
    if loader == "csv" and place.is_file():
        return manifests.read(place)[0]
    if loader == "huggingface" and place.exists():
        return _list_parquet(place)
    raise ValueError(
        f"datasets.{name}.path = {path}: the estimate counts folders, manifests and Parquet; "
        "unpack the archive and name its folder"
    )


def _split_published(loader: Loader, section: Mapping, resolution: int) -> Size:
    """Split a published data set in numbers, as if its classes were equally large."""
    size, limit = loader.size, section["labels_per_class"]
    test = size.test
    if loader.per_class:
        kept = section["validation_per_class"] + (section["extra_per_class"] or 0)
        train = loader.pool - size.classes * kept
        test = size.classes * section["test_per_class"] if section["test_per_class"] else test
    else:
        drawn = 0 if test else round(section["test_fraction"] * size.train)
        test = test or drawn
        train = size.train - drawn - round(section["validation_fraction"] * size.train)
    if limit is not None:
        train = min(train, limit * size.classes)
    return Size(tuple(split_evenly(train, size.classes)), test, min(size.side, resolution))


def _list_parquet(place: Path) -> Sequence[Item]:
    from mvc.images.loaders.huggingface import load_huggingface

    _, items, _ = load_huggingface(
        {"path": str(place), "unreadable": "skip"}, key="estimate", data=Path("data"), threads=1
    )
    return items
