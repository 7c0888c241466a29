"""Images in files: a person's folders, a CSV manifest, Caltech-101."""

from pathlib import Path

from mvc.images import archives, downloads, folders, manifests
from mvc.images.records import Loaded, checked, file_item, lines, listed, settled

BACKGROUND = "BACKGROUND_Google"  # Caltech-101's class of strangers, which is no class
CATEGORIES = "101_ObjectCategories"


def imagefolder(cfg: dict, *, key: str, data: Path, threads: int) -> Loaded:
    """The records of a person's folders, with what was converted, skipped or not used."""
    path = Path(cfg["path"] or "")
    if not cfg["path"] or not (path.is_dir() or path.is_file()):
        raise FileNotFoundError(
            f"{key}.path = {cfg['path']}: no such folder or archive; name the folder that holds "
            "train/<class>/ and test/<class>/, or <class>/, or an archive of it"
        )
    root = archives.folder_of(path, data)
    root = root if path.is_dir() else folders.inner(root, keep=("train", "test"))
    scan = folders.scan(root)
    if not scan.entries:
        raise ValueError(
            f"{key}.path = {path}: no image in a class folder; it must hold <class>/ with image "
            "files, or train/<class>/ and test/<class>/"
        )
    return scanned(scan, cfg, key, threads)


def csv(cfg: dict, *, key: str, data: Path, threads: int) -> Loaded:
    """The records that a manifest names, in its order; classes sorted by name."""
    path = Path(cfg["path"] or "")
    if not path.is_file():
        raise FileNotFoundError(
            f"{key}.path = {cfg['path']}: no such file; name a CSV file with the columns path "
            "(relative to it) and label"
        )
    rows, faults = manifests.read(path)
    if faults:
        raise ValueError(f"{key}.path = {path}: {len(faults)} fault(s):{lines(faults)}")
    if not rows:
        raise ValueError(f"{key}.path = {path}: no row")
    classes = tuple(sorted({row.label for row in rows}))
    labels = {name: label for label, name in enumerate(classes)}
    parts = settled([row.split or "train" for row in rows])
    items = [
        file_item(row.path, image_id=row.name, label=labels[row.label], part=part, group=row.group)
        for row, part in zip(rows, parts, strict=True)
    ]
    records, report = checked(items, unreadable=cfg["unreadable"], key=key, threads=threads)
    return classes, records, {"loader": "csv", "source": str(path)} | report


def caltech101(cfg: dict, *, key: str, data: Path, threads: int) -> Loaded:
    """Caltech-101 without its background class; its names in words."""
    path = downloads.located(cfg["path"], "caltech101", data=data, key=f"{key}.path")
    root = _categories(path, data)
    if root is None:
        raise ValueError(
            f"{key}.path = {path}: no folder {CATEGORIES}; name caltech-101.zip, "
            f"{CATEGORIES}.tar.gz or the folder that one of them unpacks to"
        )
    found = folders.scan(root)
    background = [e.image_id for e in found.entries if e.class_name == BACKGROUND]
    entries = [
        entry._replace(class_name=entry.class_name.replace("_", " "))
        for entry in found.entries
        if entry.class_name != BACKGROUND
    ]
    scan = folders.Scan(entries, found.unused + background, found.empty)
    classes, records, report = scanned(scan, cfg, key, threads)
    return classes, records, report | {"loader": "caltech101", "source": str(path)}


def scanned(scan: folders.Scan, cfg: dict, key: str, threads: int) -> Loaded:
    """The records of files found in folders, classes sorted by name."""
    classes = tuple(sorted({entry.class_name for entry in scan.entries}))
    labels = {name: label for label, name in enumerate(classes)}
    items = [
        file_item(e.path, image_id=e.image_id, label=labels[e.class_name], part=e.part)
        for e in scan.entries
    ]
    records, report = checked(items, unreadable=cfg["unreadable"], key=key, threads=threads)
    empty = [f"folder {name!r} of {part} has no image" for part, name in scan.empty]
    report |= {"not_used": listed(scan.unused), "warnings": empty + report["warnings"]}
    return classes, records, {"loader": "imagefolder", "source": cfg["path"]} | report


def _categories(path: Path, data: Path) -> Path | None:
    """The folder of class folders: in an archive, in an archive inside it, or below a folder."""
    root = archives.folder_of(path, data)
    if root.name == CATEGORIES or (root / BACKGROUND).is_dir():
        return root
    packed = f"{CATEGORIES}.tar.gz"
    home = folders.home(root, CATEGORIES)
    if home is None and (outer := folders.home(root, packed)) is not None:
        home = folders.home(archives.folder_of(outer / packed, data), CATEGORIES)
    return home and home / CATEGORIES
