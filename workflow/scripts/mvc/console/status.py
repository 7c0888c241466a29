"""Which stages are done, running, failed or stale, and why: from a dry run, markers and logs."""

import base64
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Column, Table
from rich.text import Text

from mvc.console.endings import FRAMES, ended_well, last_lines

RULE = re.compile(r"^ *(?:local)?rule (\w+):$", re.MULTILINE)  # jobs of a group are indented
FIELD = re.compile(r"^ +(output|log|reason): (.*)$", re.MULTILINE)
TOGETHER = ("tables", "figures")  # stages of all data sets together
COLOURS = {"done": "green", "running": "bold cyan", "submitted": "cyan", "failed": "bold red"}
COLOURS |= {"stopped": "yellow", "stale": "yellow", "to make": "none"}
KINDS = tuple(COLOURS)
CHANGED = "Params have changed since last execution"
# What Snakemake's reasons begin with, and what a person is told of the first that fits.
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
    """One of `KINDS`, and what a person is told besides."""

    kind: str
    told: str = ""


Rows = dict[tuple[str, str], list[State]]


def check_configfiles(arguments: Sequence[str]) -> None:
    """Refuse configuration files that are not there, such as a target taken for one.

    Snakemake takes all that follows `--configfile` for such files, up to the next option or `--`,
    and answers one that is missing with a traceback.

    Raises:
        FileNotFoundError: names the file, and how a target is told from it.
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
                f"--configfile {file}: no such file; a target stands after `--`: "
                "--configfile config/paper.yaml -- tables"
            )


def planned(text: str) -> list[Job]:
    """The jobs that a dry run lists, without targets and what makes no file."""
    jobs = []
    _, *parts = RULE.split(text)
    for rule, body in zip(parts[::2], parts[1::2], strict=True):
        fields = dict(FIELD.findall(body))
        if "output" in fields and "log" in fields:
            output = tuple(fields["output"].split(", "))
            jobs.append(Job(rule, output, fields["log"], fields.get("reason", "")))
    return jobs


def marked(folder: Path) -> dict[str, float]:
    """Outputs that jobs have begun and not ended, and when (Snakemake's own markers)."""
    begun = {}
    for path in folder.rglob("*"):
        if path.is_file():
            letters = "".join(part.lstrip("@") for part in path.relative_to(folder).parts)
            try:
                begun[base64.urlsafe_b64decode(letters).decode()] = path.stat().st_mtime
            except (ValueError, OSError):  # no marker, or it has just gone
                continue
    return begun


def why(reason: str) -> str:
    """What Snakemake's reason means, in a few words; empty where the files are not there.

    Rules have two params: settings, which it shows as a dict, and the digest of the code.
    """
    found = next((start for start in REASONS if start in reason), None)
    if found == CHANGED:
        params = reason.partition(CHANGED)[2]
        kinds = {"settings": "{" in params, "code": re.search(r"'[0-9a-f]{12}'", params)}
        return " and ".join(kind for kind, there in kinds.items() if there) + " changed"
    return reason if found is None else REASONS[found]


def state(job: Job, *, begun: Mapping[str, float], locked: bool, root: Path = Path()) -> State:
    """How a job that a dry run would run stands.

    Args:
        begun: what `marked` gives. locked: whether a run holds the folder.
        root: the project's folder.
    """
    log = root / job.log
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    since = max((begun[file] for file in job.output if file in begun), default=None)
    if since is not None and locked:
        if not text or log.stat().st_mtime < since - 1:
            return State("submitted")
        return State("running", (last_lines(text, 1) or [""])[-1])
    if since is not None:
        return State("stopped", (last_lines(text, 1) or [""])[-1])
    if text and FRAMES.search(text) and not ended_well(text, [job.log]):
        error = FRAMES.split(text)[-1].strip().partition("\n")[0]
        return State("failed", f"{error} ({job.log})")
    told = why(job.reason)
    return State("stale", told) if told else State("to make")


def rows(every: Sequence[Job], states: Mapping[str, State], stages: Sequence[str]) -> Rows:
    """The states of jobs by data set and stage, in the order of the pipeline.

    Args:
        every: all jobs of the target. states: of those that would run, by their logs.
        stages: the order of the stages.
    """
    place = {stage: i for i, stage in enumerate(stages)}
    found: Rows = {}
    for job in every:
        found.setdefault(job.row, []).append(states.get(job.log, State("done")))
    keys = sorted(found, key=lambda row: (not row[0], row[0], place.get(row[1], len(place)), row))
    return {key: found[key] for key in keys}


def lines(states: Iterable[State], most: int = 3) -> list[tuple[str, str]]:
    """What is told of one row: each kind but `done`, with its number and its commonest words.

    Returns:
        Pairs of a kind and a line.
    """
    states, told = list(states), []
    for kind in KINDS[1:]:
        own = [state.told for state in states if state.kind == kind]
        words = sorted(set(filter(None, own)), key=lambda text: (-own.count(text), text))
        if len(words) == 1:
            told.append((kind, f"{len(own):,} {kind}: {words[0]}"))
        elif own:
            told.append((kind, f"{len(own):,} {kind}"))
            told += [(kind, f"  {text}") for text in words[:most]]
            told += [(kind, f"  and {len(words) - most} more")] * (len(words) > most)
    return told or [("done", "done")]


def page(found: Rows) -> Table:
    """A table for the terminal, one row a data set and stage."""
    table = Table("data set", "stage", Column("done", justify="right"), "", box=SIMPLE_HEAD)
    above = None
    for (dataset, stage), states in found.items():
        if dataset != above:
            table.add_section()
        told = Text("\n").join(Text(line, COLOURS[kind]) for kind, line in lines(states))
        done = sum(state.kind == "done" for state in states)
        name = "" if dataset == above else dataset or "all together"
        table.add_row(name, stage, f"{done:,} of {len(states):,}", told)
        above = dataset
    return table


def total(states: Collection[State]) -> str:
    """The number of jobs of each kind, in one line."""
    counts = {kind: sum(state.kind == kind for state in states) for kind in KINDS}
    done = f"{counts.pop('done'):,} of {len(states):,} jobs done"
    return "; ".join([done, *(f"{n:,} {kind}" for kind, n in counts.items() if n)])
