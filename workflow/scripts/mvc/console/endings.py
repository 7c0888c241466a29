"""What a run says at its end: what was made in how long, or what failed and what to do about it."""

import logging
import re
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from mvc.console.progress import span

SHOWN = 15  # lines of a failed job's log
TOLD = 5  # failed jobs
NAMED = 4  # files of a run that went well
FRAMES = re.compile(r"^Traceback \(most recent call last\):\n(?:[ \t].*\n)*", re.MULTILINE)
KILLED = (
    "It ended without an error of its own: it was killed, most often for want of memory or time."
    "\nGive it more, or lower the batch_size of its section; then run again."
)
INTERRUPTED = "Terminating processes on user request"  # Snakemake's words after Ctrl-C
STOPPED = "Stopped before the end: run again to go on, what is finished is kept."


class Jobs(logging.Handler):
    """Counts the jobs that finish and keeps those that fail, by Snakemake's own messages."""

    def __init__(self):
        super().__init__()
        self.start, self.wall, self.done = time.monotonic(), time.time(), 0
        self.real, self.failed, self.of_groups, self.stopped = set(), {}, {}, False

    def emit(self, record: logging.LogRecord) -> None:
        """Take note of one message; its fields are those that Snakemake gives logger plugins."""
        event = getattr(record, "event", None)
        if event == "job_info" and (record.output or record.log):  # a target has neither
            self.real.add(record.jobid)
        elif event == "job_finished":
            self.done += record.job_id in self.real
            self.failed.pop(record.job_id, None)  # it succeeded in a later attempt
        elif event == "group_error":
            own = {info["jobid"]: record.aux_logs for info in record.job_error_info}
            self.of_groups |= own
        elif INTERRUPTED in record.getMessage():  # the jobs that fail now do so for that
            self.stopped = True
        elif event == "job_error" and not self.stopped:
            logs = [*record.log, *self.of_groups.get(record.jobid, [])]
            self.failed[record.jobid] = (record.rule_name, logs, record.rule_msg)

    def success(self, targets: Iterable[str]) -> str:
        """One line: jobs, time, and the files asked for, those for a person first."""
        files = sorted({readable(Path(target)) for target in targets})
        files.sort(key=lambda file: not file.endswith(".md"))
        more = [f"{len(files) - NAMED} more"] if len(files) > NAMED else []
        named = ", ".join(files[:NAMED] + more)
        jobs = "1 job" if self.done == 1 else f"{self.done:,} jobs"
        return f"{jobs} in {span(time.monotonic() - self.start)}" + (f"; {named}" if named else "")

    def failures(self) -> str:
        """For each failed job its stage, the end of its log with the mend, and where the log is."""
        told = []
        for jobid, (rule, logs, message) in self.failed.items():
            text, site = self.log_text(logs[:1]), self.log_text(logs[1:][-1:])
            if not (jobid in self.of_groups and ended_well(text, logs)):
                told.append(failure(rule, logs, text, message, site))
        if len(told) > TOLD:
            told[TOLD:] = [f"{len(told) - TOLD:,} jobs more failed; `make status` lists them."]
        return "\n\n".join(told) or STOPPED

    def log_text(self, logs: Iterable[str]) -> str:
        """What the first of some logs holds of this run; nothing where it did not come to it."""
        own = next(map(Path, logs), None)
        if own is None or not own.is_file() or own.stat().st_mtime < self.wall - 1:
            return ""
        return own.read_text(encoding="utf-8", errors="replace")


def readable(file: Path) -> str:
    """A file, or the one beside it that is for a person."""
    page = file.with_suffix(".md")
    return str(page if page.is_file() else file)


def name_job(log: Path) -> str:
    """A job's name by its log: `photos/unet` of `logs/photos/unet.log`."""
    return log.with_suffix("").as_posix().removeprefix("logs/")


def ended_well(text: str, logs: Iterable[str]) -> bool:
    """Whether a stage came to its end: of a group that fails, Snakemake reports all jobs."""
    last = text.rstrip().rpartition("\n")[2]
    return any(last.startswith(f"{name_job(Path(log))}: ") for log in logs)


def failure(rule: str, logs: Sequence[str], text: str, message: str | None, site: str = "") -> str:
    """What a person is told of a failed job.

    Args:
        logs: its log files, its own first.
        text: the contents of that.
        message: what the executor says of it, if anything.
        site: the contents of the executor's log, which tells where the job's own has no error.
    """
    own, *others = logs or ["no log"]
    said = [] if message in (None, "None") else [message]
    lines = [f"Stage {rule} failed ({name_job(Path(own))}):", *said, "", *last_lines(text)]
    if site.strip() and not FRAMES.search(text):
        lines += ["", f"The end of {others[-1]}:", *last_lines(site, TOLD)]
    elif not text.strip() or ended_well(text, logs):
        lines.append("Its log has no error: see the messages above.")
    elif not said and not FRAMES.search(text) and "stopped by" not in text:
        lines.append(KILLED)
    return "\n".join([*lines, "", f"The whole log: {', '.join([own, *others])}"])


def last_lines(text: str, most: int = SHOWN) -> list[str]:
    """The last lines of a log, without the frames of a traceback and the errors before the last."""
    first, *rest = FRAMES.split(text.replace("\r", "\n"))
    error = rest[-1].strip("\n").splitlines() if rest else []
    before = [line for line in first.splitlines() if line.strip()]
    room = max(most - len(error), 2) if rest else most
    return [*before[-room:], *error]
