"""Print which stages are done, running, failed or stale, and why. A run in progress goes on.

python workflow/scripts/status.py [--configfile config/paper.yaml] [-- tables]
"""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mvc.console.status import (
    Job,
    check_configfiles,
    count_states,
    group_states,
    judge_job,
    make_table,
    parse_dry_run,
    read_markers,
)
from mvc.console.terminal import replace_unprintable
from rich.console import Console


def plan_jobs(*arguments: str) -> list[Job]:
    """List the jobs that snakemake would run; exit with its message if it fails."""
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--nolock", "--cores", "1"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return parse_dry_run(done.stdout + done.stderr)


def main(arguments: list[str]) -> None:
    replace_unprintable()
    if {"-h", "--help"} & set(arguments):
        sys.exit(__doc__.strip())
    try:
        check_configfiles(arguments)
    except FileNotFoundError as error:
        sys.exit(str(error))
    with ThreadPoolExecutor() as pool:
        wanted, every = pool.map(lambda more: plan_jobs(*more, *arguments), ([], ["--forceall"]))
    locked = any(Path(".snakemake/locks").glob("*"))
    started = read_markers(Path(".snakemake/incomplete"))
    states = {job.log: judge_job(job, started=started, locked=locked) for job in wanted}
    stages = re.findall(r'"workflow/rules/(\w+)', Path("Snakefile").read_text(encoding="utf-8"))
    console = Console(width=None if sys.stdout.isatty() else 140)
    rows = group_states(every, states, stages)
    console.print(make_table(rows))
    console.print(count_states([state for row in rows.values() for state in row]))
    if locked:
        console.print(
            "A run is in progress. If there is none, one was killed: run snakemake --unlock"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
