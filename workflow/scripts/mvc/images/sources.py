"""Digests of sources by the contents of their files: unpacking the same data again changes nothing.

Contents are read once, and again if a name, a size or a time has changed. Standard library only,
since the workflow computes the digest at each start.
"""

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from mvc.core.atomic import write_text
from mvc.core.hashing import digest_bytes
from mvc.images.folders import list_visible_files
from mvc.images.manifests import list_named_files

# Beside Snakemake's own records. If it is lost, all contents are read again.
CACHE = Path(".snakemake/sources.json")
READERS = 8  # files read at the same time
SLOW = 2  # GB, about ten seconds


class File(NamedTuple):
    """A file of a source."""

    name: bytes  # inside the source
    path: str
    size: int  # bytes
    time: int  # of its last modification, ns


def digest_source(loader: str, path: str | Path | None, *, cache: Path = CACHE) -> str:
    """Digest names and contents of the files that a loader reads; "" where there are none.

    For a manifest, these are the table and every file that it names.

    Args:
        cache: JSON with the digests of sources by the names, sizes and times of their files.
    """
    files = list(_list_files(loader, path)) if path else []
    if not files:
        return ""
    source = f"{loader} {os.path.abspath(path)}"
    times = _digest(b"%b\0%d\0%d" % (file.name, file.size, file.time) for file in files)
    known = _read_cache(cache)
    if known.get(source, {}).get("times") != times:
        _announce(path, files)
        known[source] = {"times": times, "contents": digest_contents(files)}
        _write_cache(known, cache)
    return known[source]["contents"]


def digest_contents(files: Iterable[File]) -> str:
    """Digest names and contents of files; of one that cannot be read, the name alone."""
    with ThreadPoolExecutor(READERS) as pool:
        return _digest(pool.map(lambda file: b"%b\0%b" % (file.name, _hash_file(file.path)), files))


def _list_files(loader: str, path: str | Path) -> Iterator[File]:
    top = os.fspath(path)
    for file, status in list_visible_files(top):
        name = os.fsencode(file[len(top) :].lstrip("/") or ".")
        yield File(name, file, status.st_size, status.st_mtime_ns)
    if loader == "csv" and os.path.isfile(top):
        for named in list_named_files(Path(path)):
            try:
                status = os.stat(named)
            except (OSError, ValueError):
                continue
            yield File(os.fsencode(named.name), str(named), status.st_size, status.st_mtime_ns)


def _announce(path: str | Path, files: list[File]) -> None:
    """Announce that reading all contents will take a while, if it will."""
    gigabytes = sum(file.size for file in files) / 1e9
    if gigabytes > SLOW:
        text = f"{path}: reading {len(files):,} files ({gigabytes:.0f} GB), to notice later changes"
        print(text, file=sys.stderr, flush=True)


def _hash_file(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return b""


def _digest(lines: Iterable[bytes]) -> str:
    return digest_bytes(b"\0".join(lines))


def _read_cache(cache: Path) -> dict:
    try:
        return json.loads(cache.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _write_cache(known: dict, cache: Path) -> None:
    try:
        write_text(json.dumps(known, sort_keys=True), cache)
    except OSError:  # a disk that cannot be written to is reported elsewhere
        pass
