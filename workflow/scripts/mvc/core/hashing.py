"""Digests of settings and files: what a result depends on, in a few characters."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

LENGTH = 12  # hexadecimal digits kept; 48 bits


def digest_settings(settings: Mapping | Sequence) -> str:
    """Hash settings by value: the order of keys does not count."""
    return digest_bytes(json.dumps(settings, sort_keys=True, ensure_ascii=False).encode())


def digest_files(*paths: str | Path) -> str:
    """Hash the contents of files in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:LENGTH]


def digest_bytes(blob: bytes) -> str:
    """Hash bytes."""
    return hashlib.sha256(blob).hexdigest()[:LENGTH]
