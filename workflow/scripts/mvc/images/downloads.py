"""Downloads of the published archives that the catalogue names.

An archive is kept under `data/<loader>/`. Its checksum is compared at each use, and a damaged file
is downloaded again.
"""

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mvc.config.catalogue import LOADERS

PATIENCE = 15  # seconds to wait for a server's answer


def locate_source(path: str | None, loader: str, *, data: Path, key: str) -> Path:
    """The archive or folder that the user named, or else the published archive.

    Raises:
        FileNotFoundError: it does not exist, or could not be downloaded.
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
    """Download the published archive of a data set if it is missing; whole or not at all.

    Args:
        loader: one with an archive in the catalogue.
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
    """Wait at most `PATIENCE` seconds for an answer of a server."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def make_folder_beside(target: Path) -> tempfile.TemporaryDirectory:
    """Make a temporary folder beside `target`, so that its contents can be moved there at once."""
    target.parent.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-")
