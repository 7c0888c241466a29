"""Digests of settings and files: what a result depends on, in a few characters."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

LENGTH = 12  # hexadecimal digits kept; 48 bits
LARGE = 10_000_000  # bytes from which on a file's digest is kept, so that it is hashed once
KEPT = Path(".snakemake")  # Snakemake's folder, where it works here


def digest_settings(settings: Mapping | Sequence) -> str:
    """Hash settings by value: the order of keys does not count."""
    return digest_bytes(json.dumps(settings, sort_keys=True, ensure_ascii=False).encode())


def digest_files(*paths: str | Path) -> str:
    """Hash the contents of files in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(_hash_file(Path(path)))
    return digest.hexdigest()[:LENGTH]


def _hash_file(path: Path) -> bytes:
    """The SHA-256 of a file; of a large one that another job has hashed, what that job kept.

    A file counts as the same while its place, size and time of change are.
    """
    status = path.stat()
    place = [str(path.resolve()), status.st_size, status.st_mtime_ns, status.st_ino]
    kept = KEPT / "digests" / digest_bytes(json.dumps(place).encode())
    if status.st_size >= LARGE and kept.is_file() and len(found := kept.read_bytes()) == 32:
        return found
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
    if status.st_size >= LARGE and KEPT.is_dir():
        with suppress(OSError):  # a full disk costs time alone
            kept.parent.mkdir(exist_ok=True)
            part = kept.with_name(f"{kept.name}.{os.getpid()}")
            part.write_bytes(digest)
            part.replace(kept)
    return digest


def digest_bytes(blob: bytes) -> str:
    """Hash bytes."""
    return hashlib.sha256(blob).hexdigest()[:LENGTH]
