"""Disk errors in words: what is wrong, and what the user can do."""

import errno
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# What the system's errors mean, and the remedy.
REASONS = {
    errno.ENOSPC: ("no space left on the disk", "free some space"),
    errno.EDQUOT: ("the disk quota is used up", "free some space"),
    errno.EROFS: ("the file system is read-only", "make it writable"),
    errno.EACCES: ("no permission to write there", "grant it"),
    errno.EPERM: ("no permission to write there", "grant it"),
    errno.EIO: ("the disk failed", "check it"),
    errno.EEXIST: ("a file or a broken link is in its place", "remove it"),
    errno.ENOTDIR: ("a file is in the place of a folder", "remove it"),
}


@contextmanager
def explain_errors(path: str | Path) -> Iterator[None]:
    """Raise a disk error again with what is wrong at `path` and the remedy; let others pass."""
    try:
        yield
    except Exception as error:
        code = _find_code(error)
        if code not in REASONS:
            raise
        reason, remedy = REASONS[code]
        if code == errno.ENOSPC:
            place = Path(path).absolute()
            usage = shutil.disk_usage(next(p for p in (place, *place.parents) if p.is_dir()))
            reason += f" ({usage.free / 1e9:.1f} of {usage.total / 1e9:.1f} GB free)"
        raise OSError(
            code,
            f"{path} could not be written: {reason}; {remedy}, then run again: "
            "what is finished is kept",
        ) from error


def _find_code(error: Exception) -> int | None:
    """The system's number of an error, which safetensors gives in its text only."""
    if isinstance(error, OSError):
        return error.errno
    found = re.search(r"\(os error (\d+)\)", str(error))
    return int(found[1]) if found else None
