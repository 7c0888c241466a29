"""Data sets of Hugging Face `datasets` on this machine: saved with `save_to_disk`, or Parquet.

Neither the network nor any code of a data set is used. Images keep their bytes.
"""

import functools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mvc.images.folders import normalise_name
from mvc.images.inspection import check_items
from mvc.images.items import Item, Loaded, summarise
from mvc.images.loaders.parquet_files import check_files, choose_groups, group_files
from mvc.images.parts import find_part_columns, settle, warn_of_groups

SAVED = ("dataset_dict.json", "state.json")  # what save_to_disk leaves
BYTES, TEXTS = ("binary", "large_binary"), ("string", "large_string")  # types of columns
IMAGES, LABELS = ("image", "img"), ("label", "labels")  # columns that are preferred


class Split(NamedTuple):
    """The images of one split, and their classes."""

    images: object  # a Dataset whose one column is the images, not decoded
    names: dict[int, str]  # class names by label; {} where the labels are the names
    texts: list[str]  # the class name of each image


class Columns(NamedTuple):
    """The columns of images and of labels, and the others that might have been meant."""

    image: str
    label: str
    others: tuple[str, ...]


def load_huggingface(cfg: dict, *, key: str, data: Path, threads: int) -> Loaded:
    """Load the images of every split; classes by label, or sorted where labels are text.

    Raises:
        FileNotFoundError: the path does not exist.
        ValueError: not such a data set, no clear column of images or labels (names the columns),
            splits whose part is not clear, or images without a label.
    """
    path, where = Path(cfg["path"] or ""), f"{key}.path = {cfg['path']}"
    if not cfg["path"] or not path.exists():
        raise FileNotFoundError(
            f"{where}: no such file or folder; name a folder that save_to_disk of Hugging Face "
            "datasets wrote, or Parquet: a file, or a folder of files"
        )
    opened, parts, unused = _open_splits(path, data / "huggingface", where)
    wanted = cfg["image_column"], cfg["label_column"]
    columns = [_find_columns(d.features, *wanted, where, n) for n, d in opened.items()]
    if len(set(columns)) > 1:
        raise ValueError(f"{where}: splits of different columns: {', '.join(map(str, columns))}")
    _check_parts(opened, where)
    splits = {n: _read_split(d, columns[0], f"{where}, split {n!r}") for n, d in opened.items()}
    classes, empty = _list_classes(list(splits.values()), where)
    settled, warnings = settle([parts[name] for name in splits])
    items = []
    for (name, split), part in zip(splits.items(), settled, strict=True):
        for i, text in enumerate(split.texts):
            read = functools.partial(_read_bytes, split.images, i)
            items.append(Item(f"{name}/{i}", text, part, read))
    items, report = check_items(items, unreadable=cfg["unreadable"], key=key, threads=threads)
    warnings += _list_warnings(columns[0], empty, unused, next(iter(opened.values())).features)
    report |= {"loader": "huggingface", "source": str(path), "not_used": summarise(unused)}
    report |= {"columns": {"image": columns[0].image, "label": columns[0].label}}
    return classes, items, report | {"warnings": warnings + report["warnings"]}


def _list_warnings(
    columns: Columns, empty: Sequence[str], unused: Sequence[str], features: Mapping
) -> list[str]:
    warnings = warn_of_groups(name for name in features if name != columns.label)
    if columns.others:
        warnings.append(
            f"the columns {columns.image!r} (images) and {columns.label!r} (labels) are used, not "
            f"{', '.join(map(repr, columns.others))}; images.image_column and images.label_column "
            "choose others"
        )
    if empty:
        names = ", ".join(map(repr, empty[:5])) + (", …" if len(empty) > 5 else "")
        warnings.append(f"{len(empty)} class name(s) that no image has are left out: {names}")
    if unused:
        names = ", ".join(map(repr, unused))
        warnings.append(f"not used, since not called for a part of a data set: {names}")
    return warnings


def _open_splits(path: Path, cache: Path, where: str) -> tuple[dict, dict[str, str], list[str]]:
    """Open the splits that are used, by name; their parts; and the names of the others."""
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
            reason = "a split has no row" if isinstance(e, IndexError) else e.__cause__ or e
            raise ValueError(f"{where} cannot be opened: {reason}") from e

    if path.is_dir() and any((path / name).is_file() for name in SAVED):
        found = read(datasets.load_from_disk, str(path))
        found = {"train": found} if isinstance(found, datasets.Dataset) else dict(found)
        parts, unused = choose_groups(found, where)
        return {name: found[name] for name in parts}, parts, unused
    files = read(group_files, path)
    if not files:
        there = ", ".join(sorted(file.name for file in path.rglob("*"))[:5]) or "nothing"
        raise ValueError(
            f"{where}: no .parquet file, and none of {', '.join(SAVED)}; it holds {there}"
        )
    single = dict.fromkeys(files, "train"), []
    parts, unused = single if path.is_file() else choose_groups(files, where)
    for name in parts:
        read(check_files, files[name])
    parquet = functools.partial(read, datasets.Dataset.from_parquet, cache_dir=str(cache))
    return {n: parquet([str(f) for f in files[n]]) for n in parts}, parts, unused


def _find_columns(
    features: Mapping, image: str | None, label: str | None, where: str, split: str
) -> Columns:
    """Find the columns of images and of labels: the chosen ones, or those that are clearly meant.

    Raises:
        ValueError: there is none, or there are several; names all columns and the key.
    """
    from datasets import ClassLabel, Image

    images = [name for name, feature in features.items() if isinstance(feature, Image)]
    if not images:  # Parquet that others wrote does not say which column is an Image
        images = [name for name in features if _holds_bytes(features[name])]
    labels = [name for name in LABELS if name in features]
    labels += [
        name
        for name, feature in features.items()
        if isinstance(feature, ClassLabel) and name not in labels
    ]
    listed = ", ".join(f"{name} ({feature})" for name, feature in features.items())
    chosen = []
    for wanted, found, preferred, kind in (
        (image, images, IMAGES, "image"),
        (label, labels, LABELS, "label"),
    ):
        fits = wanted in features and (kind == "label" or _holds_bytes(features[wanted]))
        if wanted is not None and not fits:
            raise ValueError(
                f"images.{kind}_column = {wanted!r}: {where}, split {split!r} has no such column "
                f"of {kind}s; its columns are {listed}"
            )
        clear = [name for name in preferred if name in found][:1] or found
        if wanted is None and len(clear) != 1:
            several = f"several columns of {kind}s ({', '.join(clear)})"
            has = several if clear else f"no column of {kind}s"
            raise ValueError(
                f"{where}, split {split!r} has {has}; its columns are {listed}; name one by "
                f"images.{kind}_column"
            )
        chosen.append(wanted or clear[0])
    others = [name for name in (*images, *labels) if name not in chosen]
    return Columns(*chosen, tuple(others))


def _holds_bytes(feature: object) -> bool:
    """Whether a column is one of images: an Image, bytes, or bytes beside a path."""
    from datasets import Image

    feature = feature.get("bytes") if isinstance(feature, Mapping) else feature
    return isinstance(feature, Image) or getattr(feature, "dtype", "") in BYTES


def _check_parts(opened: Mapping, where: str) -> None:
    """Refuse splits without a row, and a column that says which part a row belongs to."""
    from datasets import ClassLabel

    for split, dataset in opened.items():
        if not len(dataset):
            raise ValueError(f"{where}: split {split!r} has no row; save the data set without it")
        values = {}
        for name, feature in dataset.features.items():
            if isinstance(feature, ClassLabel):
                values[name] = [feature.names[i] for i in dataset.unique(name) if i is not None]
            elif getattr(feature, "dtype", None) in TEXTS:
                values[name] = dataset.unique(name)
        if likely := find_part_columns(values):
            raise ValueError(
                f"{where}: the column {likely[0]!r} holds {', '.join(map(str, values[likely[0]]))}"
                f", but its rows are all in {split!r}; save each part as a split of its own, or "
                "without this column to have a test set drawn"
            )


def _read_split(dataset, columns: Columns, where: str) -> Split:
    """Read the labels of a split, and select its images.

    Raises:
        ValueError: labels are missing, are no classes, or do not agree with `class_name`.
    """
    from datasets import ClassLabel, Image

    feature, values = dataset.features[columns.label], _read_column(dataset, columns.label)
    values = [normalise_name(v).strip() if isinstance(v, str) else v for v in values]
    hidden = sum(v is None or v == "" or (isinstance(v, int) and v < 0) for v in values)
    if hidden:
        whole = hidden == len(values)
        fix = "all are hidden: save the data set without this split" if whole else "remove them"
        raise ValueError(
            f"{where}: {hidden:,} of {len(values):,} image(s) without a label (empty or negative) "
            f"in column {columns.label!r}; {fix}"
        )
    if isinstance(feature, ClassLabel):
        names = {i: normalise_name(name).strip() for i, name in enumerate(feature.names)}
        if twice := [name for name, n in Counter(names.values()).items() if n > 1]:
            raise ValueError(f"{where}: several labels are called {twice[0]!r}: rename one")
    elif all(isinstance(value, str) for value in values):
        names = {}
    elif all(isinstance(value, int) for value in values):
        names = _read_names(dataset, values, where)
    else:
        several = any(isinstance(value, list) for value in values)
        kind = (
            "a list: an image has one class here, not several"
            if several
            else "no class: save labels as text, whole numbers or ClassLabel"
        )
        raise ValueError(f"{where}: the column {columns.label!r} ({feature}) is {kind}")
    texts = [names[value] for value in values] if names else values
    if isinstance(dataset.features[columns.image], Image):
        dataset = dataset.cast_column(columns.image, Image(decode=False))
    return Split(dataset.select_columns([columns.image]), names, texts)


def _read_names(dataset, values: Sequence[int], where: str) -> dict[int, str]:
    """Read the names of labels that are numbers: the column `class_name`, or the numbers."""
    named = _read_column(dataset, "class_name") if "class_name" in dataset.features else values
    pairs = sorted({(value, str(name)) for value, name in zip(values, named, strict=True)})
    for place, what in ((0, "names"), (1, "labels")):
        repeated = [k for k, n in Counter(pair[place] for pair in pairs).items() if n > 1]
        if repeated:
            both = [repr(pair[1 - place]) for pair in pairs if pair[place] == repeated[0]]
            raise ValueError(
                f"{where}: {'label' if place == 0 else 'class_name'} {repeated[0]!r} has several "
                f"{what}: {', '.join(both)}; give each class one label and one name"
            )
    return dict(pairs)


def _list_classes(splits: Sequence[Split], where: str) -> tuple[tuple[str, ...], list[str]]:
    """List the classes of all splits, which must agree on them, and names that no image has."""
    names: dict[int, str] = {}
    for split in splits:
        for label, name in split.names.items():
            if names.setdefault(label, name) != name:
                raise ValueError(f"{where}: label {label} is {names[label]!r} and {name!r}")
    used = {text for split in splits for text in split.texts}
    if names and (strange := sorted(used - set(names.values()))):
        raise ValueError(f"{where}: splits of different classes: one has {strange[0]!r}")
    listed = [names[label] for label in sorted(names)] if names else sorted(used)
    return tuple(name for name in listed if name in used), [n for n in listed if n not in used]


def _read_column(dataset, column: str) -> list:
    return dataset.select_columns([column]).with_format("arrow")[:][column].to_pylist()


def _read_bytes(images, index: int) -> bytes:
    (value,) = images[index].values()
    data = value["bytes"] if isinstance(value, dict) else value
    if data is None:
        raise ValueError("its bytes are not in the data set; save it with the images in it")
    return data
