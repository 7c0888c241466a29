"""Images in files: the user's folders, a CSV manifest, Caltech-101."""

from collections import Counter
from pathlib import Path

from mvc.core.csv_tables import format_faults
from mvc.images import archives, downloads, folders, layouts, manifests
from mvc.images.inspection import check_items, warn_of_unused
from mvc.images.items import Loaded, summarise_files

BACKGROUND = "BACKGROUND_Google"  # Caltech-101's folder of clutter, which is not a class
CATEGORIES = "101_ObjectCategories"


def load_imagefolder(cfg: dict, *, key: str, data: Path, threads: int) -> Loaded:
    """Load the user's folders, with a report of what was converted, skipped or not used."""
    path = Path(cfg["path"] or "")
    if not cfg["path"] or not (path.is_dir() or path.is_file()):
        raise FileNotFoundError(
            f"{key}.path = {cfg['path']}: no such folder or archive; name the folder that holds "
            "train/<class>/ and test/<class>/, or <class>/, or an archive of it"
        )
    root = archives.unpack(path, data)
    try:
        scan = layouts.scan(root)
    except ValueError as error:
        raise ValueError(f"{key}.path = {path}: {error}") from error
    return _load_scan(scan, cfg, key, threads)


def load_csv(cfg: dict, *, key: str, data: Path, threads: int) -> Loaded:
    """Load the images that a manifest names, in its order; classes sorted by name."""
    path = Path(cfg["path"] or "")
    if not path.is_file():
        raise FileNotFoundError(
            f"{key}.path = {cfg['path']}: no such file; name a CSV file with the columns path "
            "(relative to it) and label"
        )
    items, faults, warnings = manifests.read(path)
    if faults:
        raise ValueError(f"{key}.path = {path}: {len(faults)} fault(s):{format_faults(faults)}")
    if not items:
        raise ValueError(f"{key}.path = {path}: no row")
    classes = tuple(sorted({item.class_name for item in items}))
    items, report = check_items(items, unreadable=cfg["unreadable"], key=key, threads=threads)
    report |= {"loader": "csv", "source": str(path), "warnings": warnings + report["warnings"]}
    return classes, items, report


def load_caltech101(cfg: dict, *, key: str, data: Path, threads: int) -> Loaded:
    """Load Caltech-101 without its background class; class names in words."""
    path = downloads.locate_source(cfg["path"], "caltech101", data=data, key=f"{key}.path")
    root = _find_categories(path, data)
    if root is None:
        raise ValueError(
            f"{key}.path = {path}: no folder {CATEGORIES}; name caltech-101.zip, "
            f"{CATEGORIES}.tar.gz or the folder that one of them unpacks to"
        )
    found = layouts.scan(root)
    background = [item.image_id for item in found.items if item.class_name == BACKGROUND]
    items = [
        item._replace(class_name=item.class_name.replace("_", " "))
        for item in found.items
        if item.class_name != BACKGROUND
    ]
    scan = found._replace(items=items, unused=background + found.unused)
    classes, items, report = _load_scan(scan, cfg, key, threads)
    return classes, items, report | {"loader": "caltech101", "source": str(path)}


def _load_scan(scan: layouts.Scan, cfg: dict, key: str, threads: int) -> Loaded:
    """Load files found in folders, classes sorted by name."""
    classes = tuple(sorted({item.class_name for item in scan.items}))
    items, report = check_items(scan.items, unreadable=cfg["unreadable"], key=key, threads=threads)
    used = Counter(item.class_name for item in items)
    warnings = scan.warnings + warn_of_unused(scan.others, used) + report["warnings"]
    report |= {"not_used": summarise_files(scan.unused), "warnings": warnings}
    return classes, items, {"loader": "imagefolder", "source": cfg["path"]} | report


def _find_categories(path: Path, data: Path) -> Path | None:
    """Find the folder of class folders: in an archive, in one inside it, or below a folder."""
    root = archives.unpack(path, data)
    if root.name == CATEGORIES or (root / BACKGROUND).is_dir():
        return root
    packed = f"{CATEGORIES}.tar.gz"
    holder = folders.find_holder(root, CATEGORIES)
    if holder is None and (outer := folders.find_holder(root, packed)) is not None:
        holder = folders.find_holder(archives.unpack(outer / packed, data), CATEGORIES)
    return holder and holder / CATEGORIES
