"""The user's image folders: their files and classes. Standard library only.

Names are data: they are never split at spaces, never globbed, never given to a shell.
"""

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from mvc.images.items import Item, make_file_item

SUFFIXES = frozenset(
    ".avif .bmp .gif .jpe .jpeg .jpg .pbm .pgm .png .pnm .ppm .tif .tiff .webp".split()
)
VALIDATION = ("validation", "valid", "val")  # names of the folder of validation images


class Scan(NamedTuple):
    """What a data folder holds."""

    items: list[Item]  # `image_id` is the path inside the data folder
    unused: list[str]  # files that are hidden, in no class, or not images by their suffix
    empty: list[tuple[str, str]]  # (part, class) of folders without an image


def scan(root: Path) -> Scan:
    """List `train/<class>/*` and `test/<class>/*`, or `<class>/*`, as torchvision's ImageFolder.

    Subfolders of a class belong to it; links are followed. The first layout needs a folder
    `train` and one `test`; a folder `validation`, `valid` or `val` is then used too.
    Class names are normalised (NFC), so that one name typed on two systems stays one class.

    Raises:
        ValueError: only one of `train` and `test` exists, and it holds class folders.
    """
    found: list[tuple[Path, str, str]] = []
    used: set[Path] = set()
    empty = []
    for part, top in _find_parts(root).items():
        for folder in _list_subfolders(top):
            inside = _walk(os.fspath(folder), (os.path.realpath(root),))
            images = [file for entry in inside if _is_image(file := Path(entry.path), folder)]
            found += [(file, normalise_name(folder.name), part) for file in images]
            used.update(images)
            if not images:
                empty.append((part, normalise_name(folder.name)))
    unused = [normalise_name(f.relative_to(root)) for f in list_files(root) if f not in used]
    ids = _name_images([file for file, _, _ in found], root)
    items = [
        make_file_item(file, image_id=image_id, class_name=class_name, part=part)
        for (file, class_name, part), image_id in zip(found, ids, strict=True)
    ]
    return Scan(items, unused, empty)


def list_files(folder: Path) -> Iterator[Path]:
    """Every file under a folder, sorted; a link back to a folder above is not followed."""
    return (Path(entry.path) for entry in _walk(os.fspath(folder)))


def normalise_name(name: str | Path) -> str:
    """A file name as NFC Unicode; bytes that are not UTF-8 become `\\xNN`."""
    plain = os.fsencode(name).decode("utf-8", "backslashreplace")
    return unicodedata.normalize("NFC", plain)


def list_visible_files(top: str) -> Iterator[tuple[str, os.stat_result]]:
    """List path and status of one file, or of all under a folder except hidden ones."""
    if os.path.isfile(top):
        yield top, os.stat(top)
    for entry in _walk(top, hidden=False):
        link = entry.is_symlink() and not os.path.exists(entry.path)
        yield entry.path, entry.stat(follow_symlinks=not link)


def find_holder(root: Path, *names: str, depth: int = 2) -> Path | None:
    """The first folder, from `root` down to `depth` levels below it, that holds all these names."""
    level = [root]
    for _ in range(depth + 1):
        for folder in level:
            if all((folder / name).exists() for name in names):
                return folder
        level = [inner for folder in level for inner in _list_subfolders(folder)]
    return None


def skip_wrappers(root: Path, keep: tuple[str, ...] = ()) -> Path:
    """Go below folders that hold one folder and nothing else.

    Args:
        keep: names of folders that are not entered.
    """
    while True:
        children = [c for c in _list_children(root) if not _is_hidden(c) and c.name != "__MACOSX"]
        if len(children) != 1 or not children[0].is_dir() or children[0].name in keep:
            return root
        root = children[0]


def _find_parts(root: Path) -> dict[str, Path]:
    """The folder of class folders of each part; the root is `all` where there are no parts."""
    folders = {folder.name: folder for folder in _list_subfolders(root)}
    if "train" in folders and "test" in folders:
        extra = [folders[name] for name in VALIDATION if name in folders]
        validation = {"validation": extra[0]} if extra else {}
        return {"train": folders["train"], **validation, "test": folders["test"]}
    for lone, other in (("train", "test"), ("test", "train")):
        inside = _list_children(folders[lone]) if lone in folders else []
        if any(d.is_dir() for d in inside) and not any(_is_image(f, root) for f in inside):
            raise ValueError(
                f"{root} has a folder {lone!r} of class folders but none called {other!r}; "
                f"add it, or name the folder {lone!r} itself as the path for a seeded split"
            )
    return {"all": root}


def _name_images(files: list[Path], root: Path) -> list[str]:
    """Name images by their NFC paths in the data folder; where two agree, the second exactly."""
    ids: dict[str, Path] = {}
    for file in files:
        inside = file.relative_to(root)
        name = normalise_name(inside)
        if name in ids:
            name = os.fsencode(inside).decode("utf-8", "backslashreplace")
        while name in ids:
            name += "'"
        ids[name] = file
    return list(ids)


def _walk(
    folder: str, above: tuple[str, ...] = (), *, hidden: bool = True
) -> Iterator[os.DirEntry]:
    """Walk as `list_files`, with few disk accesses: a set may have a hundred thousand files."""
    here = os.path.realpath(folder)
    if here in above or not os.path.isdir(folder):
        return
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: os.fsencode(entry.name))
    for entry in entries:
        if not hidden and entry.name.startswith("."):
            continue  # of a file manager; not an image
        if entry.is_dir():
            yield from _walk(entry.path, (*above, here), hidden=hidden)
        elif entry.is_file() or entry.is_symlink():  # a broken link counts as an unreadable file
            yield entry


def _list_children(folder: Path) -> list[Path]:
    return sorted(folder.iterdir(), key=lambda p: os.fsencode(p.name)) if folder.is_dir() else []


def _list_subfolders(folder: Path) -> list[Path]:
    return [path for path in _list_children(folder) if path.is_dir() and not _is_hidden(path)]


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(".")


def _is_image(file: Path, folder: Path) -> bool:
    inside = file.relative_to(folder).parts
    hidden = any(part.startswith(".") for part in inside)
    return not hidden and file.suffix.lower() in SUFFIXES
