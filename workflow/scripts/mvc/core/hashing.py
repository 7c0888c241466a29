"""Digests of settings and files: what a result depends on, in a few characters."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

LENGTH = 12  # hexadecimal digits kept; 48 bits


def settings_digest(settings: Mapping) -> str:
    """Hash settings by value: the order of keys does not count."""
    return _hash(json.dumps(settings, sort_keys=True, ensure_ascii=False).encode())


def files_digest(*paths: str | Path) -> str:
    """Hash the contents of files in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:LENGTH]


def _hash(blob: bytes) -> str:
    return hashlib.sha256(blob).hexdigest()[:LENGTH]
