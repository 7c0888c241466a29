"""Atomic writing of files: whole or not at all.

A killed job cannot tidy up: it leaves a hidden folder beside its file. The next job that writes the
file removes that folder. This is safe on any machine, since Snakemake lets one job at a time make a
file.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mvc.console.disk import explain_errors


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a path in a temporary folder; move the file to `path` if the block succeeds.

    Raises:
        OSError: `path` cannot be written; gives the reason and the remedy.
    """
    path = Path(path)
    folder = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with explain_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            for leftover in path.parent.glob(".*.part"):
                if leftover.name.rsplit(".", 2)[0] == f".{path.name}":
                    shutil.rmtree(leftover, ignore_errors=True)
            folder.mkdir()
            yield folder / path.name
            if (folder / path.name).is_file():
                apply_umask(folder / path.name)
            os.replace(folder / path.name, path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def apply_umask(path: Path) -> None:
    """Let those read and write a file who may its new folder; some libraries write 0600."""
    path.chmod(path.parent.stat().st_mode & 0o666)


def write_text(text: str, path: str | Path) -> None:
    """Write a text as UTF-8, atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_csv(frame, path: str | Path, **options) -> None:
    """Write a pandas data frame without its index, atomically; `options` are those of `to_csv`."""
    with atomic(path) as temporary:
        frame.to_csv(temporary, index=False, **options)


def check_folder(folder: str | Path) -> None:
    """Create a folder if it is missing, and check that files can be written there.

    Raises:
        OSError: they cannot; gives the reason and the remedy.
    """
    with explain_errors(folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"0" * 4096)  # a block
