"""Data sets of Hugging Face `datasets` on this machine: saved with `save_to_disk`, or Parquet.

Neither the network nor any code of a data set is used. Images keep their bytes.
"""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mvc.images import folders
from mvc.images.inspection import check_items
from mvc.images.items import Item, Loaded, settle_parts, summarise

PARTS = {"train": "train", "test": "test"} | {name: "validation" for name in folders.VALIDATION}
SAVED = ("dataset_dict.json", "state.json")  # what save_to_disk leaves


class Split(NamedTuple):
    """The images of one split, and their classes."""

    images: object  # a Dataset whose one column is the images, not decoded
    names: dict[int, str]  # class names by label; {} where the labels are the names
    texts: list[str | None]  # the class name of each image; None where it has none


def load_huggingface(cfg: dict, *, key: str, data: Path, threads: int) -> Loaded:
    """Load the images of every split; classes by label, or sorted where labels are text.

    Raises:
        FileNotFoundError: the path does not exist.
        ValueError: not such a data set, no column of images or labels (names the columns), or
            images without a label.
    """
    path, where = Path(cfg["path"] or ""), f"{key}.path = {cfg['path']}"
    if not cfg["path"] or not path.exists():
        raise FileNotFoundError(
            f"{where}: no such file or folder; name a folder that save_to_disk of Hugging Face "
            "datasets wrote, or Parquet: a file, or a folder of files"
        )
    opened, unused = _open_splits(path, data / "huggingface", where)
    splits = {name: _read_split(dataset, where) for name, dataset in opened.items()}
    classes = _list_classes(list(splits.values()), where)
    parts = settle_parts([PARTS.get(name, "train") for name in splits])
    items = []
    for (name, split), part in zip(splits.items(), parts, strict=True):
        for i, text in enumerate(split.texts):
            read = functools.partial(_read_bytes, split.images, i)
            items.append(Item(f"{name}/{i}", text, part, read))
    items, report = check_items(items, unreadable=cfg["unreadable"], key=key, threads=threads)
    report |= {"loader": "huggingface", "source": str(path), "not_used": summarise(unused)}
    return classes, items, report


def _open_splits(path: Path, cache: Path, where: str) -> tuple[dict, list[str]]:
    """Open the splits that are used, by name; and list the names of the others."""
    import datasets

    def read(function: Callable, *args: object, **options: object):
        try:
            return function(*args, **options)
        except (
            OSError,
            ValueError,
            LookupError,
            TypeError,
            datasets.exceptions.DatasetsError,
        ) as e:
            raise ValueError(f"{where} cannot be opened: {e.__cause__ or e}") from e

    if path.is_dir() and any((path / name).is_file() for name in SAVED):
        found = read(datasets.load_from_disk, str(path))
        whole = isinstance(found, datasets.Dataset)
        return _choose_splits({"train": found} if whole else dict(found), where)
    files, unused = _choose_splits(_group_parquet(path), where)
    parquet = functools.partial(read, datasets.Dataset.from_parquet, cache_dir=str(cache))
    return {name: parquet([str(f) for f in group]) for name, group in files.items()}, unused


def _group_parquet(path: Path) -> dict[str, list[Path]]:
    """Group Parquet files by the split that their name begins with, or else by their own name."""
    groups: dict[str, list[Path]] = {}
    for file in [path] if path.is_file() else folders.list_files(path):
        if file.suffix == ".parquet" and not file.name.startswith("."):
            word = re.split(r"[-_.]", file.stem)[0]
            groups.setdefault(word if word in PARTS else file.stem, []).append(file)
    return groups


def _choose_splits(found: Mapping, where: str) -> tuple[dict, list[str]]:
    """Choose the splits named train, validation or test; all if no split is named so."""
    if not found:
        raise ValueError(f"{where}: no .parquet file, and none of {', '.join(SAVED)}")
    used = {name: value for name, value in found.items() if name in PARTS}
    if used and "train" not in used:
        raise ValueError(f"{where} has the splits {', '.join(found)}; one must be called train")
    return (used, [name for name in found if name not in used]) if used else (dict(found), [])


def _read_split(dataset, where: str) -> Split:
    from datasets import ClassLabel, Image

    features = dataset.features
    columns = ", ".join(f"{name} ({feature})" for name, feature in features.items())
    image, label = _find_columns(features)
    if image is None or label is None:
        raise ValueError(
            f"{where} has no column of {'images' if image is None else 'labels'}; "
            f"its columns are {columns}"
        )
    values = _read_column(dataset, label)
    if isinstance(features[label], ClassLabel):
        names = dict(enumerate(features[label].names))
    elif all(isinstance(v, str | None) for v in values):
        names = {}
    elif all(isinstance(v, int | None) for v in values):
        class_names = _read_column(dataset, "class_name") if "class_name" in features else values
        pairs = {
            (v, str(name))
            for v, name in zip(values, class_names, strict=True)
            if v is not None and v >= 0
        }
        names = dict(pairs)
        if twice := sorted(pair for pair in pairs if names[pair[0]] != pair[1]):
            number, name = twice[0]
            raise ValueError(f"{where}: label {number} is both {name!r} and {names[number]!r}")
    else:
        raise ValueError(f"{where}: {label} is not a class; its columns are {columns}")
    texts = [names.get(value) for value in values] if names else [v or None for v in values]
    if isinstance(features[image], Image):
        dataset = dataset.cast_column(image, Image(decode=False))
    return Split(dataset.select_columns([image]), names, texts)


def _find_columns(features: Mapping) -> tuple[str | None, str | None]:
    """Find the columns of images and of labels; None where there is none."""
    from datasets import ClassLabel, Image

    images = [name for name, feature in features.items() if isinstance(feature, Image)]
    if not images:  # Parquet that others wrote does not say which column is an Image
        kinds = {name: str(feature) for name, feature in features.items()}
        images = [n for n in ("image", "img") if "binary" in kinds.get(n, "")]
    labels = [name for name in ("label", "labels") if name in features]
    labels += [name for name, feature in features.items() if isinstance(feature, ClassLabel)]
    return next(iter(images), None), next(iter(labels), None)


def _list_classes(splits: Sequence[Split], where: str) -> tuple[str, ...]:
    """List the classes of all splits, which must agree on them; every image must have one."""
    names: dict[int, str] = {}
    for split in splits:
        for label, name in split.names.items():
            if names.setdefault(label, name) != name:
                raise ValueError(f"{where}: label {label} is {names[label]!r} and {name!r}")
    without = sum(text is None for split in splits for text in split.texts)
    if without:
        raise ValueError(f"{where}: {without} image(s) without a label; remove them")
    if names:
        return tuple(names[label] for label in sorted(names))
    return tuple(sorted({text for split in splits for text in split.texts}))


def _read_column(dataset, column: str) -> list:
    return dataset.select_columns([column]).with_format("arrow")[:][column].to_pylist()


def _read_bytes(images, index: int) -> bytes:
    (value,) = images[index].values()
    data = value["bytes"] if isinstance(value, dict) else value
    if data is None:
        raise ValueError("its bytes are not in the data set; save it with the images in it")
    return data
