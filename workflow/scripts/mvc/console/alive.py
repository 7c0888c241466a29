"""Whether a run's Snakemake is alive: it holds a lock, which the system drops however it ends."""

import fcntl
import socket
from pathlib import Path
from typing import IO

FILE = Path(".snakemake/mvc.alive")


def hold_lock(file: Path = FILE) -> IO:
    """Lock the file of this folder's runs until this process ends, and write this machine's name.

    Several runs share the lock. Where a file system has no locks, there is no file.
    """
    file.parent.mkdir(exist_ok=True)
    held = open(file, "a+")
    try:
        fcntl.flock(held, fcntl.LOCK_SH)
    except OSError:
        file.unlink()
        return held
    held.truncate(0)
    held.write(socket.gethostname())
    held.flush()
    return held


def check_alive(file: Path = FILE) -> bool | None:
    """Whether a run of this folder is alive; None where it cannot be known.

    Another machine's locks may not be seen here.
    """
    if not file.is_file() or file.read_text() != socket.gethostname():
        return None
    try:
        with open(file, "r+") as asked:
            fcntl.flock(asked, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    return False
