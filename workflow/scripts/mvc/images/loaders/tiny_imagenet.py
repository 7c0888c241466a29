"""Tiny ImageNet: 200 classes of 500 training images; its validation images are the test set.

The images called `test` have no labels and are not read.
"""

from collections import Counter
from pathlib import Path

from mvc.images import archives, downloads, folders
from mvc.images.records import Item, Loaded, checked, file_item, listed

FILES = ("wnids.txt", "words.txt", "train", "val")


def tiny_imagenet(cfg: dict, *, key: str, data: Path, threads: int) -> Loaded:
    """The records of `train` and of `val`, which is the test part; classes in order of WordNet id.

    Raises:
        ValueError: the files do not name each other as the published ones do.
    """
    path = downloads.located(cfg["path"], "tiny_imagenet", data=data, key=f"{key}.path")
    root = folders.home(archives.folder_of(path, data), *FILES)
    if root is None:
        raise ValueError(f"{key}.path = {path}: not all of {', '.join(FILES)} are there")
    ids = sorted(_text(root / "wnids.txt").split())
    classes = class_names(ids, _text(root / "words.txt"))
    items, unused = _training(root, ids)
    items += _annotated(root, ids)
    records, report = checked(items, unreadable=cfg["unreadable"], key=key, threads=threads)
    report |= {"loader": "tiny_imagenet", "source": str(path), "not_used": listed(unused)}
    return classes, records, report


def class_names(ids: list[str], words: str) -> tuple[str, ...]:
    """The first name of each WordNet id; with the id behind it where two share a name.

    Args:
        words: lines of an id, a tab, and names with commas between them.

    Raises:
        ValueError: an id has no name.
    """
    table = dict(line.split("\t", 1) for line in words.splitlines() if "\t" in line)
    unknown = [i for i in ids if i not in table]
    if unknown:
        raise ValueError(f"words.txt has no name for {', '.join(unknown[:10])} of wnids.txt")
    names = {i: table[i].split(",")[0].strip() for i in ids}
    uses = Counter(names.values())
    return tuple(name if uses[name] == 1 else f"{name} ({i})" for i, name in names.items())


def _training(root: Path, ids: list[str]) -> tuple[list[Item], list[str]]:
    """Images of `train/<id>/images/`, and the folders of ids that wnids.txt does not name."""
    known = set(ids)
    strangers = sorted(d.name for d in (root / "train").iterdir() if d.name not in known)
    items = [
        file_item(file, image_id=f"train/{i}/{file.name}", label=label, part="train")
        for label, i in enumerate(ids)
        for file in sorted((root / "train" / i / "images").glob("*"))
        if file.suffix.lower() in folders.SUFFIXES and not file.name.startswith(".")
    ]
    return items, [f"train/{name}" for name in strangers]


def _annotated(root: Path, ids: list[str]) -> list[Item]:
    """Images of `val/images/` as `val_annotations.txt` names them: file, id and a box."""
    labels = {i: label for label, i in enumerate(ids)}
    table = root / "val" / "val_annotations.txt"
    items = []
    for number, line in enumerate(_text(table).splitlines(), 1):
        name, i = (*line.split("\t"), "", "")[:2]
        file = root / "val" / "images" / name
        if i not in labels or Path(name).name != name or not file.is_file():
            raise ValueError(f"{table} line {number}: {line!r} names no image or no id")
        items.append(file_item(file, image_id=f"val/{name}", label=labels[i], part="test"))
    return items


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text: {error}") from error
