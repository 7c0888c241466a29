"""Data sets that are downloaded from where the catalogue says, and kept once whole.

What is kept is the published archive, under `data/<loader>/`; it is compared with its checksum at
each use, so a damaged one is fetched anew.
"""

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mvc.config.catalogue import LOADERS

PATIENCE = 15  # seconds without an answer before a server is given up


def locate_source(path: str | None, loader: str, *, data: Path, key: str) -> Path:
    """The archive or folder that the user named; the data set's own archive where none is named.

    Raises:
        FileNotFoundError: it is not there, or could not be downloaded.
    """
    if not path:
        return fetch_archive(loader, data=data, key=key)
    if not Path(path).exists():
        raise FileNotFoundError(
            f"{key} = {path}: no such file or folder; name {LOADERS[loader].archive.name} or the "
            "folder that it unpacks to, or null, which downloads it"
        )
    return Path(path)


def fetch_archive(loader: str, *, data: Path, key: str) -> Path:
    """Download the archive of a data set unless it is there; whole or not at all.

    Args:
        loader: that has an archive in the catalogue.
        data: the project's data folder.
        key: the config key that may name a file, for messages.

    Raises:
        FileNotFoundError: it could not be downloaded; says which file to get and where to put it.
    """
    from torchvision.datasets.utils import check_integrity, download_url

    source = LOADERS[loader].archive
    kept = data / loader / source.name
    if check_integrity(kept, source.md5):
        return kept
    print(f"downloading {source.url} to {kept}")
    try:
        with make_folder_beside(kept.parent) as folder, limit_waiting():
            download_url(source.url, folder, source.name, source.md5)
            kept.parent.mkdir(exist_ok=True)
            os.replace(Path(folder) / source.name, kept)
    except (OSError, RuntimeError, ValueError) as error:
        raise FileNotFoundError(
            f"{source.name} is not at {kept} and could not be downloaded from {source.url} "
            f"({' '.join(str(error).split())})\nConnect this machine to the network; or download "
            f"the file elsewhere and put it at {kept}; or name it in the config as {key}, "
            "an archive or the folder that it unpacks to"
        ) from error
    return kept


@contextmanager
def limit_waiting() -> Iterator[None]:
    """Give up a server after `PATIENCE` seconds without an answer."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def make_folder_beside(target: Path) -> tempfile.TemporaryDirectory:
    """A temporary folder next to `target`, so that what is in it can be renamed to it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-")
