"""The states of all jobs on the terminal: planned, or as the logs say."""

import re
import sys
from pathlib import Path

from mvc.console.alive import check_alive
from mvc.console.environment import REMEDY
from mvc.console.logged import describe_logged

# What to know about a locked folder, by whether its run is alive.
LOCKED = {
    True: "A run is in progress.",
    False: "The run was killed: run snakemake --unlock, then the same command; "
    "what is finished is kept.",
    None: "A run is in progress. If there is none, one was killed: run snakemake --unlock",
}
NO_SNAKEMAKE = (
    "{} has no Snakemake: this is what the logs say, not what is stale or still to make.\n"
    "For that {}."
)


def show_states(arguments: list[str], has_snakemake: bool) -> None:
    """Print the states, and what a lock means."""
    alive = check_alive() if any(Path(".snakemake/locks").glob("*")) else ""
    run = {"": "", False: "killed"}.get(alive, "running")
    stages = re.findall(r'"workflow/rules/(\w+)', Path("Snakefile").read_text(encoding="utf-8"))
    if has_snakemake:
        from mvc.console.planned import show_planned  # imports rich

        show_planned(arguments, stages, run)
    else:
        print(describe_logged(stages, run) or "Nothing has run here yet.")
        print(NO_SNAKEMAKE.format(sys.executable, REMEDY))
    if run:
        print(LOCKED[alive])
