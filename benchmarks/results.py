"""Run all benchmarks and write results.md: what was measured, on which machine, at which commit.

python benchmarks/results.py [--output FILE --tiny]
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent / "workflow/scripts"))

import torch
from mvc.core.atomic import write_text
from mvc.core.markdown import format_table
from race import Record, format_number, format_size

SCRIPTS = (
    "training_step",
    "guidance",
    "sampling",
    "mixing",
    "bank_size",
    "augmentation",
    "classifier",
)
HEADINGS = (
    "what is made",
    "this project",
    "against",
    "goal",
    "ratio",
    "this project",
    "the other",
    "ratio of CPU time",
)
PAGE = """\
# Results of the benchmarks

Written by `make benchmarks`; [README.md](README.md) says what each script compares.

{facts}

Ratios say how many times longer, or larger, the other way is; times are medians of rounds in turns.
CPU time is that of all processes of one way, workers included: other jobs on the machine change it
less, but they do, through the caches that cores share.

{table}

{verdict}
"""


def run_benchmarks(arguments: Sequence[str]) -> list[Record]:
    """Run every script in a process of its own, with further arguments, and read its records.

    Raises:
        CalledProcessError: one of them fails.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder) / "records.jsonl"
        for name in SCRIPTS:
            script = str(FOLDER / f"{name}.py")
            command = [sys.executable, script, "--records", str(file), *arguments]
            subprocess.run(command, check=True)
        return [Record(**json.loads(line)) for line in file.read_text("utf-8").splitlines()]


def tabulate_record(record: Record) -> list[str]:
    """The row of one record, under HEADINGS."""
    ratio = record.other_size / record.ours_size
    cpu = record.other_cpu / record.ours_cpu if record.ours_cpu else None
    return [
        record.of,
        record.ours,
        record.other,
        "" if record.goal is None else f"{format_number(record.goal)} x",
        f"{format_number(ratio)} x",
        format_size(record.ours_size, record.unit),
        format_size(record.other_size, record.unit),
        "" if cpu is None else f"{format_number(cpu)} x",
    ]


def write_verdict(records: Sequence[Record]) -> str:
    """Which goals are reached, and which are missed by what."""
    aimed = [record for record in records if record.goal]
    missed = [r for r in aimed if r.other_size / r.ours_size < r.goal]
    line = f"{len(aimed) - len(missed)} of {len(aimed)} goals are reached."
    for r in missed:
        ratio = format_number(r.other_size / r.ours_size)
        line += f"\n- Missed: {r.of}, {ratio} x of {format_number(r.goal)} x against {r.other}."
    return line


def describe_run() -> list[str]:
    """Describe machine, versions and commit."""
    lines = [f"- Machine: {read_cpu_model()}, {os.cpu_count()} cores, one thread per process"]
    if torch.cuda.is_available():
        lines.append(f"- GPU: {torch.cuda.get_device_name()}")
    lines.append(f"- Software: Python {platform.python_version()}, PyTorch {torch.__version__}")
    return [*lines, f"- Commit: {describe_commit()}"]


def read_cpu_model() -> str:
    """The CPU's name as Linux gives it, with its model number; else the architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.machine()
    facts = dict(map(str.strip, line.split(":", 1)) for line in lines if ":" in line)
    numbers = f"family {facts.get('cpu family')}, model {facts.get('model')}"
    return f"{facts.get('model name', platform.machine())} ({numbers})"


def describe_commit() -> str:
    """The short hash of the commit, and whether files differ from it."""

    def ask_git(*words: str) -> str:
        asked = subprocess.run(["git", *words], cwd=FOLDER, capture_output=True, text=True)
        return asked.stdout.strip()

    commit = ask_git("rev-parse", "--short", "HEAD") or "unknown"
    changed = ask_git("status", "--porcelain", "--untracked-files=no")
    return f"{commit}, with changes" if changed else commit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=FOLDER / "results.md")
    parser.add_argument("--tiny", action="store_true", help="the least work, to see that it runs")
    options = parser.parse_args()
    facts = describe_run()
    before = os.getloadavg()[0]
    records = run_benchmarks(["--tiny"] if options.tiny else [])
    loads = f"{before:.1f} before the run, {os.getloadavg()[1]:.1f} over its last five minutes"
    facts.append(f"- Jobs at once on the machine (load average): {loads}; a quiet one has 0 and 1")
    table = format_table(HEADINGS, [tabulate_record(record) for record in records], left=3)
    page = PAGE.format(facts="\n".join(facts), table=table, verdict=write_verdict(records))
    write_text(page, options.output)
    print(table)


if __name__ == "__main__":
    main()
