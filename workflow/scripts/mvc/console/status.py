"""Which stages are done, running, failed or stale, and why: from a dry run, markers and logs."""

import base64
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mvc.console.changes import CHANGED, explain_params
from mvc.console.endings import FRAMES, has_ended_well, select_last_lines

RULE = re.compile(r"^ *(?:local)?rule (\w+):$", re.MULTILINE)  # jobs of a group are indented
FIELD = re.compile(r"^ +(output|log|reason): (.*)$", re.MULTILINE)
TOGETHER = ("tables", "figures")  # stages of all data sets together
COLOURS = {"done": "green", "running": "bold cyan", "submitted": "cyan", "failed": "bold red"}
COLOURS |= {"killed": "bold red", "stopped": "yellow", "stale": "yellow", "to make": "none"}
KINDS = tuple(COLOURS)
# How Snakemake's reasons begin, and the words printed for the first that matches.
REASONS = {
    "Missing output files": "",
    "Incomplete output files": "stopped before its end",
    CHANGED: "settings changed",
    "Updated input files": "input files changed",
    "Set of input files has changed": "other input files",
    "Software environment": "environment changed",
    "Input files updated by another job": "an input is made again",
}


@dataclass(frozen=True)
class Job:
    """One job of a dry run: its rule, the files that it makes, its log, why it would run."""

    rule: str
    output: tuple[str, ...]
    log: str
    reason: str

    @property
    def row(self) -> tuple[str, str]:
        """Its data set and its stage, by the folders of its files; no data set for tables."""
        _, first, *rest = Path(self.output[0]).parts
        if first in TOGETHER:
            return "", first
        return first, rest[0] if len(rest) > 1 else self.rule


@dataclass(frozen=True)
class State:
    """One of `KINDS`, and a note that is printed beside it."""

    kind: str
    note: str = ""


Rows = dict[tuple[str, str], list[State]]


def check_configfiles(arguments: Sequence[str]) -> None:
    """Refuse missing configuration files, such as a target taken for one.

    Snakemake takes all that follows `--configfile` for such files, up to the next option or `--`,
    and prints a traceback where one is missing.

    Raises:
        FileNotFoundError: names the file, and how to separate a target from it.
    """
    reading = False
    for argument in arguments:
        option, _, file = argument.partition("=")
        if argument.startswith("-"):
            named = option in ("--configfile", "--configfiles")
            reading = named and not file
        else:
            named, file = reading, argument
        if named and file and not Path(file).is_file():
            raise FileNotFoundError(
                f"--configfile {file}: no such file; targets go after `--`: "
                "--configfile config/paper.yaml -- tables"
            )


def parse_dry_run(text: str) -> list[Job]:
    """The jobs that a dry run lists, without targets and other rules that make no file."""
    jobs = []
    _, *parts = RULE.split(text)
    for rule, body in zip(parts[::2], parts[1::2], strict=True):
        fields = dict(FIELD.findall(body))
        if "output" in fields and "log" in fields:
            output = tuple(fields["output"].split(", "))
            jobs.append(Job(rule, output, fields["log"], fields.get("reason", "")))
    return jobs


def read_markers(folder: Path) -> dict[str, float]:
    """Outputs of jobs that started and did not end, with the times of Snakemake's markers."""
    started = {}
    for path in folder.rglob("*"):
        if path.is_file():
            letters = "".join(part.lstrip("@") for part in path.relative_to(folder).parts)
            try:
                started[base64.urlsafe_b64decode(letters).decode()] = path.stat().st_mtime
            except (ValueError, OSError):  # not a marker, or just removed
                continue
    return started


def explain_reason(reason: str) -> str:
    """Snakemake's reason in a few words; empty where the files do not exist yet."""
    beginning = next((start for start in REASONS if start in reason), None)
    if beginning == CHANGED:
        return explain_params(reason)
    return reason if beginning is None else REASONS[beginning]


def judge_job(job: Job, *, started: Mapping[str, float], run: str, root: Path = Path()) -> State:
    """The state of a job that a dry run would run.

    Args:
        started: as returned by `read_markers`.
        run: `running`, `killed`, or empty where no run has locked the folder.
        root: the project's folder.
    """
    log = root / job.log
    since = max((started[file] for file in job.output if file in started), default=None)
    text = read_log(log)
    if since is not None:
        if run and (not text or log.stat().st_mtime < since - 1):
            return State("submitted" if run == "running" else run)
        return State(run or "stopped", (select_last_lines(text, 1) or [""])[-1])
    note = explain_reason(job.reason)
    return judge_log(job.log, text) or (State("stale", note) if note else State("to make"))


def judge_log(log: str, text: str) -> State | None:
    """`failed` with the error in a log, if it ends with one."""
    if not FRAMES.search(text) or has_ended_well(text, [log]):
        return None
    error = FRAMES.split(text)[-1].strip().partition("\n")[0]
    return State("failed", f"{error} ({log})")


def read_log(log: Path) -> str:
    """The text of a log; empty where there is none."""
    return log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""


def group_states(every: Sequence[Job], states: Mapping[str, State], stages: Sequence[str]) -> Rows:
    """The states of jobs by data set and stage, in the order of the pipeline.

    Args:
        every: all jobs of the target.
        states: of those that would run, by their logs.
        stages: in the order of the pipeline.
    """
    place = {stage: i for i, stage in enumerate(stages)}
    grouped: Rows = {}
    for job in every:
        grouped.setdefault(job.row, []).append(states.get(job.log, State("done")))
    keys = sorted(grouped, key=lambda row: (not row[0], row[0], place.get(row[1], len(place)), row))
    return {key: grouped[key] for key in keys}


def describe_states(states: Iterable[State], most: int = 3) -> list[tuple[str, str]]:
    """The lines of one row: each kind but `done`, with its number and its most common notes.

    Returns:
        Pairs of a kind and a line.
    """
    states = list(states)
    lines = []
    for kind in KINDS[1:]:
        notes = [state.note for state in states if state.kind == kind]
        common = sorted(set(filter(None, notes)), key=lambda text: (-notes.count(text), text))
        if len(common) == 1:
            lines.append((kind, f"{len(notes):,} {kind}: {common[0]}"))
        elif notes:
            lines.append((kind, f"{len(notes):,} {kind}"))
            lines += [(kind, f"  {text}") for text in common[:most]]
            lines += [(kind, f"  and {len(common) - most} more")] * (len(common) > most)
    return lines or [("done", "done")]


def count_states(states: Collection[State]) -> str:
    """The number of jobs of each kind, in one line."""
    counts = {kind: sum(state.kind == kind for state in states) for kind in KINDS}
    done = f"{counts.pop('done'):,} of {len(states):,} jobs done"
    return "; ".join([done, *(f"{n:,} {kind}" for kind, n in counts.items() if n)])
