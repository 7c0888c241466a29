"""Files written whole or not at all, and errors that say what to do when a disk does not take them.

A job that is killed outright cannot tidy up. What it had begun lies in a hidden folder beside the
file, and goes when the file is next written: Snakemake lets one job at a time make a file, so that
folder is nobody's, whichever machine it was begun on.
"""

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# What the system's errors mean, and the mend.
REASONS = {
    errno.ENOSPC: ("no space left on the disk", "free some"),
    errno.EDQUOT: ("the disk quota is used up", "free some"),
    errno.EROFS: ("the file system is read-only", "make it writable"),
    errno.EACCES: ("no permission to write there", "allow it"),
    errno.EPERM: ("no permission to write there", "allow it"),
    errno.EIO: ("the disk failed", "see to it"),
    errno.EEXIST: ("a file, or a link to what is not there, is in its place", "remove it"),
    errno.ENOTDIR: ("a file is in the place of a folder", "remove it"),
}


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Give a path in a temporary folder beside `path`; rename it to `path` if the block succeeds.

    Raises:
        OSError: the disk does not take it; names `path`, the reason and the mend.
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


@contextmanager
def explain_errors(path: str | Path) -> Iterator[None]:
    """Say in the error, if the block fails for the disk's sake, what is wrong and the mend."""
    try:
        yield
    except Exception as error:
        code = _code(error)
        if code not in REASONS:
            raise
        reason, mend = REASONS[code]
        if code == errno.ENOSPC:
            place = Path(path).absolute()
            usage = shutil.disk_usage(next(p for p in (place, *place.parents) if p.is_dir()))
            reason += f" ({usage.free / 1e9:.1f} of {usage.total / 1e9:.1f} GB free)"
        raise OSError(
            code,
            f"{path} could not be written: {reason}; {mend}, then run again: "
            "what is finished is kept",
        ) from error


def check_folder(folder: str | Path) -> None:
    """Make a folder if need be, and write a file there that goes at once.

    Raises:
        OSError: it cannot be made, or takes no file.
    """
    with explain_errors(folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"0" * 4096)  # a block


def _code(error: Exception) -> int | None:
    """The system's number of an error; safetensors tells it in words alone."""
    if isinstance(error, OSError):
        return error.errno
    found = re.search(r"\(os error (\d+)\)", str(error))
    return int(found[1]) if found else None
