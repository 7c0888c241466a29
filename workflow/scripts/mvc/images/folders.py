"""Folders of the user's files, as one tree read once. Standard library only.

Names are data: they are never split at spaces, never globbed, never given to a shell.
"""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from mvc.images.parts import has_only_fillers, name_part

# What no image is. Any other visible file may be one, whatever it is called: its content decides.
NOTES = frozenset(
    ".aae .bib .c .cfg .cff .css .csv .doc .docx .htm .html .identifier .ini .ipynb .js .json "
    ".jsonl .lnk .log .m .md .md5 .ods .odt .pdf .ppt .pptx .py .pyc .rst .rtf .sh .sha256 .srt "
    ".thm .toml .tsv .txt .url .xls .xlsx .xml .xmp .yaml .yml .db".split()
)
DATA = frozenset(
    ".7z .aac .arrow .avi .bz2 .ckpt .dcm .feather .flac .flv .gz .h5 .hdf5 .lmdb .m4a .m4v .mat "
    ".mkv .mov .mp3 .mp4 .mpeg .mpg .npy .npz .onnx .parquet .pickle .pkl .pt .pth .rar "
    ".safetensors .tar .tfrecord .tgz .wav .webm .wmv .xz .zip .zst".split()
)
TEXTS = frozenset({"changelog", "copying", "icon\r", "licence", "license", "makefile", "readme"})
SYSTEM = frozenset(
    {"$recycle.bin", "@eadir", "__macosx", "lost+found", "system volume information"}
)  # folders of a system's own, such as thumbnails and resource forks
SHOWN = 8  # folders in a message


class Folder(NamedTuple):
    """A folder and all below it; hidden folders and those of a system count among its `others`."""

    path: Path
    own: list[Path]  # files of its own that may be images
    images: list[Path]  # the same of it and of all below, in the order of names
    others: list[Path]  # all the other files of it and of all below
    folders: list["Folder"]

    @property
    def name(self) -> str:
        """Its name as NFC Unicode, so that one name typed on two systems stays one class."""
        return normalise_name(self.path.name)

    def list_filled(self) -> list["Folder"]:
        """List the folders in it that hold files that may be images."""
        return [folder for folder in self.folders if folder.images]

    def list_visible_others(self) -> list[Path]:
        """List the visible files of it and of all below that are no images."""
        return [file for file in self.others if not file.name.startswith(".")]


def read_tree(path: Path, above: tuple[str, ...] = ()) -> Folder:
    """Read a folder and all below it; links are followed, but not to a folder above."""
    tree = Folder(path, [], [], [], [])
    here = os.path.realpath(path)
    for entry in [] if here in above else _list_entries(os.fspath(path)):
        file = Path(entry.path)
        hidden = entry.name.startswith(".") or entry.name.casefold() in SYSTEM
        if entry.is_dir() and hidden:
            tree.others.extend(Path(e.path) for e in _walk(entry.path, (*above, here)))
        elif entry.is_dir():
            inner = read_tree(file, (*above, here))
            tree.folders.append(inner)
            tree.images.extend(inner.images)
            tree.others.extend(inner.others)
        elif entry.is_file() or entry.is_symlink():  # a broken link counts as an unreadable file
            may_be = has_image_name(file)
            (tree.images if may_be else tree.others).append(file)
            tree.own.extend([file] if may_be else [])
    return tree


def skip_wrappers(folder: Folder, part: str | None = None) -> Folder:
    """Go below folders that hold the images of one folder of folders only.

    A folder called for a part is not entered, unless for `part`, or if it holds parts itself.
    """
    while len(inside := folder.list_filled()) == 1 and not folder.own:
        lone = inside[0]
        inner = lone.list_filled()
        is_class = not inner or (len(inner) == 1 and lone.own)
        is_part = name_part(lone.name) not in (None, part)
        if is_class or (is_part and not any(name_part(f.name) and has_classes(f) for f in inner)):
            break
        folder = lone
    return folder


def has_classes(folder: Folder) -> bool:
    """Say whether a folder holds class folders; not so `test/*.jpg` and `test/images/*.jpg`."""
    inside = folder.list_filled()
    if len(inside) != 1 or folder.own:
        return bool(inside)
    lone = inside[0]
    return has_classes(lone) or not (has_only_fillers(lone.name) or lone.name == folder.name)


def has_image_name(file: Path) -> bool:
    """Say whether a file is visible and not, by its name, something other than an image."""
    name = file.name.casefold()
    known = file.suffix.lower() in NOTES or file.suffix.lower() in DATA or name in TEXTS
    return not known and not name.startswith(".")


def count_suffixes(names: Iterable[str | Path]) -> dict[str, int]:
    """Count files by suffix, the most frequent first; "" counts those without one."""
    counts = Counter(os.path.splitext(name)[1].lower() for name in map(os.fspath, names))
    return dict(counts.most_common())


def format_suffixes(names: Iterable[str | Path]) -> str:
    """Format the numbers of files by suffix: `.jpg 12, .png 3`."""
    counts = count_suffixes(names)
    return ", ".join(f"{normalise_name(suffix) or 'no suffix'} {n}" for suffix, n in counts.items())


def describe_tree(tree: Folder) -> str:
    """Describe what a folder holds, for a message: the folders with files, one line each."""
    found = list(_list_lines(tree, tree.path))
    more = f"\n  … and {len(found) - SHOWN} more folders" if len(found) > SHOWN else ""
    lines = "".join(f"\n  {line}" for line in found[:SHOWN])
    return f"; it holds:{lines}{more}" if found else "; it is empty"


def _list_lines(tree: Folder, root: Path) -> Iterator[str]:
    below = {file for folder in tree.folders for file in folder.others}
    own = [*tree.own, *(f for f in tree.others if f not in below and not f.name.startswith("."))]
    if own:
        inside = tree.path.relative_to(root)
        name = "" if inside == Path() else f"{normalise_name(inside)}/"
        yield f"{name or 'files beside the folders'}: {format_suffixes(own)}"
    for folder in tree.folders:
        yield from _list_lines(folder, root)


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


def _walk(
    folder: str, above: tuple[str, ...] = (), *, hidden: bool = True
) -> Iterator[os.DirEntry]:
    """Walk as `list_files`, with few disk accesses: a set may have a hundred thousand files."""
    here = os.path.realpath(folder)
    if here in above or not os.path.isdir(folder):
        return
    for entry in _list_entries(folder):
        if not hidden and entry.name.startswith("."):
            continue  # of a file manager; not an image
        if entry.is_dir():
            yield from _walk(entry.path, (*above, here), hidden=hidden)
        elif entry.is_file() or entry.is_symlink():  # a broken link counts as an unreadable file
            yield entry


def _list_entries(folder: str) -> list[os.DirEntry]:
    with os.scandir(folder) as found:
        return sorted(found, key=lambda entry: os.fsencode(entry.name))


def _list_subfolders(folder: Path) -> list[Path]:
    entries = _list_entries(os.fspath(folder)) if folder.is_dir() else []
    return [Path(e.path) for e in entries if e.is_dir() and not e.name.startswith(".")]
