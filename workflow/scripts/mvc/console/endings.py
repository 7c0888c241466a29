"""The last message of a run: what it made in how long, or what failed and how to fix it."""

import logging
import re
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from mvc.console.progress import format_duration

LOG_LINES = 15  # lines of a failed job's log
MOST_FAILURES = 5  # failed jobs that are described, and lines of the executor's log
MOST_FILES = 4  # files named at the end of a run that succeeded
FRAMES = re.compile(r"^Traceback \(most recent call last\):\n(?:[ \t].*\n)*", re.MULTILINE)
KILLED = (
    "It ended without an error of its own: it was killed, most often for lack of memory or time."
    "\nGive it more, or lower the batch_size of its section; then run again."
)
INTERRUPTED = "Terminating processes on user request"  # Snakemake's words after Ctrl-C
# Snakemake's words of a failed run that only repeat the last message, or that something failed.
REPEATED = re.compile(
    r"RuleException:\nCalledProcessError .* returned non-zero exit status"
    r"|Exiting because a job execution failed"
    r"|WorkflowError:\nAt least one job did not complete",
    re.DOTALL,
)
STOPPED = "Stopped before the end: run again to go on, what is finished is kept."


class Jobs(logging.Handler):
    """A log handler that counts the jobs that start and keeps those that fail."""

    def __init__(self, on_images: Callable[[Path], None] = lambda report: None):
        """Args:
        on_images: called with the report of each images stage as soon as it has ended.
        """
        super().__init__()
        self.on_images, self.reports = on_images, {}
        self.start, self.wall = time.monotonic(), time.time()
        self.real, self.failed, self.of_groups, self.stopped = set(), {}, {}, False
        self.running = {}  # the logs of each job

    def emit(self, record: logging.LogRecord) -> None:
        """Record one message; its fields are those that Snakemake passes to logger plugins."""
        event = getattr(record, "event", None)
        if event == "job_info" and (record.output or record.log):  # a target has neither
            self.real.add(record.jobid)
            self.running[record.jobid] = list(record.log)
            if getattr(record, "rule_name", None) == "images":
                self.reports[record.jobid] = Path(record.output[-1])
        elif event == "job_finished":
            self.running.pop(record.job_id, None)
            self.failed.pop(record.job_id, None)  # it succeeded in a later attempt
            report = self.reports.pop(record.job_id, None)
            if report is not None and report.is_file():
                self.on_images(report)
        elif event == "group_error":
            self.of_groups |= {info["jobid"]: record.aux_logs for info in record.job_error_info}
        elif INTERRUPTED in record.getMessage():  # the jobs that fail now do so for that
            self.stopped = True
        elif event == "job_error" and not self.stopped:
            logs = [*record.log, *self.of_groups.get(record.jobid, [])]
            self.failed[record.jobid] = (record.rule_name, logs, record.rule_msg)

    def summarise_success(self, targets: Iterable[str]) -> str:
        """One line: jobs, time, and the requested files, the tables' pages first."""
        files = {prefer_page(Path(target)) for target in targets}
        files = sorted(files, key=_rank_file)
        more = [f"{len(files) - MOST_FILES} more"] if len(files) > MOST_FILES else []
        named = ", ".join(files[:MOST_FILES] + more)
        done = len(self.real)  # all that started: `--quiet progress` says of none that it finished
        jobs = "1 job" if done == 1 else f"{done:,} jobs"
        duration = format_duration(time.monotonic() - self.start)
        return f"{jobs} in {duration}" + (f"; {named}" if named else "")

    def describe_failures(self) -> str:
        """For each failed job its stage, the end of its log with the fix, and the log's path."""
        failures = []
        for jobid, (rule, logs, message) in self.failed.items():
            text, site = self.read_log(logs[:1]), self.read_log(logs[1:][-1:])
            if not (jobid in self.of_groups and has_ended_well(text, logs)):
                failures.append(describe_failure(rule, logs, text, message, site))
        if more := len(failures[MOST_FAILURES:]):
            failures[MOST_FAILURES:] = [f"{more:,} more jobs failed; `make status` lists them."]
        return "\n\n".join(failures) or STOPPED

    def read_log(self, logs: Iterable[str]) -> str:
        """The text of the first of these logs; empty if this run did not write it."""
        log = next(map(Path, logs), None)
        if log is None or not log.is_file() or log.stat().st_mtime < self.wall - 1:
            return ""
        return log.read_text(encoding="utf-8", errors="replace")


def _rank_file(file: str) -> tuple[bool, bool, str]:
    """A file's place among those that are named: the tables' pages, other pages, the rest."""
    return not file.endswith(".md"), "/tables/table" not in file, file


def drop_repeated(record: logging.LogRecord) -> bool:
    """A filter of the terminal: drop what the last message of a failed run says.

    What an executor says of a job stays: the job may be tried again and succeed.
    """
    failed = getattr(record, "event", None) == "job_error"
    repeated = failed and getattr(record, "rule_msg", None) in (None, "None")
    return not (repeated or REPEATED.match(record.getMessage()))


def prefer_page(file: Path) -> str:
    """The page to open: of a folder its `index.html`, of a file the Markdown beside it."""
    pages = (file / "index.html", file.with_suffix(".md"), file)
    return str(next((page for page in pages if page.is_file()), file))


def name_job(log: Path) -> str:
    """A job's name by its log: `photos/unet` of `logs/photos/unet.log`."""
    return log.with_suffix("").as_posix().removeprefix("logs/")


def has_ended_well(text: str, logs: Iterable[str]) -> bool:
    """Whether a stage finished: Snakemake reports all jobs of a group of which one fails."""
    last = text.rstrip().rpartition("\n")[2]
    return any(last.startswith(f"{name_job(Path(log))}: ") for log in logs)


def describe_failure(
    rule: str, logs: Sequence[str], text: str, message: str | None, site: str = ""
) -> str:
    """Describe a failed job: its stage, the end of its log, and where the whole log is.

    Args:
        logs: paths of its logs, the stage's own first.
        text: contents of the stage's own log.
        message: from the executor, if any.
        site: contents of the executor's log, shown where the stage's own has no error.
    """
    log, *others = logs or ["no log"]
    messages = [] if message in (None, "None") else [message]
    lines = [
        f"Stage {rule} failed ({name_job(Path(log))}):",
        *messages,
        "",
        *select_last_lines(text),
    ]
    if site.strip() and not FRAMES.search(text):
        lines += ["", f"The end of {others[-1]}:", *select_last_lines(site, MOST_FAILURES)]
    elif not text.strip() or has_ended_well(text, logs):
        lines.append("Its log has no error: see the messages above.")
    elif not messages and not FRAMES.search(text) and "stopped by" not in text:
        lines.append(KILLED)
    return "\n".join([*lines, "", f"The whole log: {', '.join([log, *others])}"])


def select_last_lines(text: str, most: int = LOG_LINES) -> list[str]:
    """The last lines of a log, without the frames of tracebacks and all errors but the last."""
    first, *rest = FRAMES.split(text.replace("\r", "\n"))
    error = rest[-1].strip("\n").splitlines() if rest else []
    before = [line for line in first.splitlines() if line.strip()]
    room = max(most - len(error), 2) if rest else most
    return [*before[-room:], *error]
