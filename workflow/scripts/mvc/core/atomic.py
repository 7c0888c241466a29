"""Files written whole or not at all.

A job that is killed outright cannot tidy up. What it had begun lies in a hidden folder beside the
file, and goes when the file is next written: Snakemake lets one job at a time make a file, so that
folder is nobody's, whichever machine it was begun on.
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
    """Give a path in a temporary folder beside `path`; rename it to `path` if the block succeeds.

    Raises:
        OSError: the disk does not take it; names `path`, the reason and the remedy.
    """
    path = Path(path)
    folder = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with explain_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            for left in path.parent.glob(".*.part"):
                if left.name.rsplit(".", 2)[0] == f".{path.name}":
                    shutil.rmtree(left, ignore_errors=True)
            folder.mkdir()
            yield folder / path.name
            os.replace(folder / path.name, path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_text(text: str, path: str | Path) -> None:
    """Write a text as UTF-8, whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_csv(frame, path: str | Path) -> None:
    """Write a pandas data frame without its index, whole or not at all."""
    with atomic(path) as temporary:
        frame.to_csv(temporary, index=False)


def check_folder(folder: str | Path) -> None:
    """Make a folder if need be, and write a file there that goes at once.

    Raises:
        OSError: it cannot be made, or takes no file.
    """
    with explain_errors(folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"0" * 4096)  # a block
