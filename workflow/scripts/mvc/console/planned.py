"""The states of all jobs of a target, from two dry runs."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from mvc.console.status import (
    COLOURS,
    Job,
    Rows,
    check_configfiles,
    count_states,
    describe_states,
    group_states,
    judge_job,
    parse_dry_run,
    read_markers,
)


def show_planned(arguments: list[str], stages: list[str], run: str) -> None:
    """Print the states of all jobs of a target; exit with what is wrong with its arguments."""
    try:
        check_configfiles(arguments)
    except FileNotFoundError as error:
        sys.exit(str(error))
    # Before the dry runs: of a job that ends meanwhile they would only say that it is forced.
    started = read_markers(Path(".snakemake/incomplete"))
    with ThreadPoolExecutor() as pool:
        wanted, every = pool.map(lambda more: plan_jobs(*more, *arguments), ([], ["--forceall"]))
    states = {job.log: judge_job(job, started=started, run=run) for job in wanted}
    rows = group_states(every, states, stages)
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(make_table(rows))
    console.print(count_states([state for row in rows.values() for state in row]))


def plan_jobs(*arguments: str) -> list[Job]:
    """List the jobs that snakemake would run; exit with its message if it fails."""
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--nolock", "--cores", "1"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return parse_dry_run(done.stdout + done.stderr)


def make_table(rows: Rows) -> Table:
    """A table for the terminal, one row per data set and stage."""
    table = Table("data set", "stage", Column("done", justify="right"), "", box=SIMPLE_HEAD)
    above = None
    for (dataset, stage), states in rows.items():
        if dataset != above:
            table.add_section()
        text = Text("\n").join(Text(line, COLOURS[kind]) for kind, line in describe_states(states))
        done = sum(state.kind == "done" for state in states)
        name = "" if dataset == above else dataset or "all together"
        table.add_row(name, stage, f"{done:,} of {len(states):,}", text)
        above = dataset
    return table
