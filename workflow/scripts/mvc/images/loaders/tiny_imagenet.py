"""Tiny ImageNet: 200 classes of 500 training images; its validation images are the test set.

The images called `test` have no labels and are not read.
"""

from collections import Counter
from pathlib import Path

from mvc.images import archives, downloads, folders
from mvc.images.inspection import check_items
from mvc.images.items import Item, Loaded, make_file_item, summarise

FILES = ("wnids.txt", "words.txt", "train", "val")


def load_tiny_imagenet(cfg: dict, *, key: str, data: Path, threads: int) -> Loaded:
    """Load `train`, and `val` as the test part; classes in the order of WordNet ids.

    Raises:
        ValueError: the files do not name each other as the published ones do.
    """
    path = downloads.locate_source(cfg["path"], "tiny_imagenet", data=data, key=f"{key}.path")
    root = folders.find_holder(archives.unpack(path, data), *FILES)
    if root is None:
        raise ValueError(f"{key}.path = {path}: must hold all of {', '.join(FILES)}")
    ids = sorted(set(_read_text(root / "wnids.txt").split()))
    classes = name_classes(ids, _read_text(root / "words.txt"))
    names = dict(zip(ids, classes, strict=True))
    items, unused = _list_training(root, names)
    items += _list_annotated(root, names)
    items, report = check_items(items, unreadable=cfg["unreadable"], key=key, threads=threads)
    report |= {"loader": "tiny_imagenet", "source": str(path), "not_used": summarise(unused)}
    return classes, items, report


def name_classes(ids: list[str], words: str) -> tuple[str, ...]:
    """Name each class by the first name of its WordNet id; add the id where two share a name.

    Args:
        words: lines of an id, a tab, and comma-separated names.

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


def _list_training(root: Path, names: dict[str, str]) -> tuple[list[Item], list[str]]:
    """List images of `train/<id>/images/`, and the folders of ids that wnids.txt does not name."""
    strangers = sorted(d.name for d in (root / "train").iterdir() if d.name not in names)
    items = [
        make_file_item(file, image_id=f"train/{i}/{file.name}", class_name=name, part="train")
        for i, name in names.items()
        for file in sorted((root / "train" / i / "images").glob("*"))
        if folders.has_image_name(file)
    ]
    return items, [f"train/{name}" for name in strangers]


def _list_annotated(root: Path, names: dict[str, str]) -> list[Item]:
    """List images of `val/images/` as `val_annotations.txt` names them: file, id and a box."""
    table = root / "val" / "val_annotations.txt"
    items = []
    for number, line in enumerate(_read_text(table).splitlines(), 1):
        file_name, i = (*line.split("\t"), "", "")[:2]
        file = root / "val" / "images" / file_name
        if i not in names or Path(file_name).name != file_name or not file.is_file():
            raise ValueError(f"{table} line {number}: {line!r} names no image or no id")
        items.append(
            make_file_item(file, image_id=f"val/{file_name}", class_name=names[i], part="test")
        )
    return items


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text: {error}") from error
