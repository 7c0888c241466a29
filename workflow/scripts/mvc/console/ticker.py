"""What a run is at, on the terminal: the last line of each running job's log, and each rule."""

import os
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from mvc.console.endings import has_ended_well, name_job

PAUSE = 10.0  # seconds between two looks at the logs
TAIL = 4096  # bytes of a log that are read
PROGRESS = re.compile(r"[\d,]+ of [\d,]+ ")  # how a `Meter`'s lines begin


class Ticker(threading.Thread):
    """Says every ten seconds what is new in the logs of the jobs that run."""

    def __init__(
        self,
        running: Mapping[int, Sequence[str]],
        say: Callable[[str], None],
        list_more: Callable[[], Iterable[str]] = tuple,
    ):
        """Args:
        running: logs of the running jobs by their number, kept by others.
        say: where lines go.
        list_more: further lines that are new, such as those of the rules.
        """
        super().__init__(daemon=True)
        self.running, self.say, self.list_more = running, say, list_more
        self.shown: dict[str, str] = {}
        self.ended = threading.Event()

    def run(self) -> None:
        """Look at the logs until `ended` is set."""
        while not self.ended.wait(PAUSE):
            self.tell_progress()

    def tell_progress(self) -> None:
        """Say what is new: of each log the last line, progress or what was made; of the rules."""
        for log, *_ in [logs for logs in dict(self.running).values() if logs]:
            line = read_last_line(Path(log))
            ended = has_ended_well(line, [log])
            if (ended or PROGRESS.match(line)) and self.shown.get(log) != line:
                self.shown[log] = line
                self.say(line if ended else f"{name_job(Path(log))}: {line}")
        for line in self.list_more():
            self.say(line)


def read_last_line(log: Path) -> str:
    """The last line of a log that is not empty; none where there is no log yet."""
    try:
        with open(log, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
