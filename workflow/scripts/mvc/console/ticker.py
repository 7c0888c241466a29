"""What the running jobs are at, on the terminal: the last line of each one's log."""

import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mvc.console.endings import has_ended_well, name_job

PAUSE = 10.0  # seconds between two looks at the logs
TAIL = 4096  # bytes of a log that are read
PROGRESS = re.compile(r"[\d,]+ of [\d,]+ ")  # how a `Meter`'s lines begin


class Ticker(threading.Thread):
    """Says every ten seconds what is new in the logs of the jobs that run."""

    def __init__(self, running: Mapping[int, Sequence[str]], say: Callable[[str], None]):
        """Args: logs of the running jobs by their number, kept by others; where lines go."""
        super().__init__(daemon=True)
        self.running, self.say = running, say
        self.shown: dict[str, str] = {}
        self.ended = threading.Event()

    def run(self) -> None:
        """Look at the logs until `ended` is set."""
        while not self.ended.wait(PAUSE):
            self.tell_progress()

    def tell_progress(self) -> None:
        """Say the last line of each log, if it is new: progress, or what the job has made."""
        for log, *_ in [logs for logs in dict(self.running).values() if logs]:
            line = read_last_line(Path(log))
            ended = has_ended_well(line, [log])
            if (ended or PROGRESS.match(line)) and self.shown.get(log) != line:
                self.shown[log] = line
                self.say(line if ended else f"{name_job(Path(log))}: {line}")


def read_last_line(log: Path) -> str:
    """The last line of a log that is not empty; none where there is no log yet."""
    try:
        with open(log, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
