"""What the logs say of the jobs that ran here, where there is no Snakemake to ask."""

from collections.abc import Iterator
from pathlib import Path

from mvc.console.endings import has_ended_well, select_last_lines
from mvc.console.status import (
    Job,
    Rows,
    State,
    count_states,
    describe_states,
    group_states,
    judge_log,
    read_log,
)


def describe_logged(stages: list[str], run: str, folder: Path = Path("logs")) -> str:
    """Describe the jobs by data set and stage, as plain text; empty where there are no logs.

    Args:
        stages: in the order of the pipeline.
        run: see `judge_job`.
    """
    logs = [Path("logs", file.relative_to(folder)) for file in folder.rglob("*.log")]
    jobs = [Job(log.stem, (str(log),), str(log), "") for log in sorted(logs)]
    states = {job.log: judge_logged(job.log, run, folder.parent) for job in jobs}
    rows = group_states(jobs, states, stages)
    lines = [*format_rows(rows), "", count_states(list(states.values()))]
    return "\n".join(lines) if jobs else ""


def judge_logged(log: str, run: str, root: Path = Path()) -> State:
    """The state of a job by its log alone."""
    text = read_log(root / log)
    if has_ended_well(text, [log]):
        return State("done")
    failed = judge_log(log, text)
    return failed or State(run or "stopped", (select_last_lines(text, 1) or [""])[-1])


def format_rows(rows: Rows) -> Iterator[str]:
    """The rows as lines of plain text."""
    for (dataset, stage), states in rows.items():
        done = sum(state.kind == "done" for state in states)
        first, *more = [text for _, text in describe_states(states)]
        place = f"{dataset or 'all together'}: {stage}"
        yield f"{place:<40} {done:,} of {len(states):,}   {first}"
        yield from (f"{'':<50}{line}" for line in more)
