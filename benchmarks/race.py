"""Ways to the same result, timed in turns in one run, and the records of what was measured."""

import argparse
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch


@dataclass(frozen=True)
class Record:
    """Two ways to the same result, measured: a row of results.md."""

    script: str
    of: str  # what both made
    ours: str  # name of this project's way
    other: str
    unit: str  # of the sizes: s or B
    ours_size: float
    other_size: float
    ours_cpu: float | None = None  # CPU seconds of all processes
    other_cpu: float | None = None
    goal: float | None = None  # ratio to reach


def parse_options(parser: argparse.ArgumentParser, **tiny: object) -> argparse.Namespace:
    """The command line's options; `--tiny` sets some to values that show only that all runs."""
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch, on a CPU")
    parser.add_argument("--tiny", action="store_true", help="the least work, to see that it runs")
    parser.add_argument("--records", type=Path, help="file to add results to, as lines of JSON")
    options = parser.parse_args()
    if options.tiny:
        vars(options).update(tiny)
    torch.set_num_threads(options.threads)
    return options


def race(
    ways: Mapping[str, Callable],
    *,
    of: str,
    options: argparse.Namespace,
    goals: Mapping[str, float] | None = None,
    warm_up: bool = True,
) -> None:
    """Time each way, in turns, and report the medians.

    Args:
        ways: functions without arguments by the name of their way, this project's first.
        of: what one call makes.
        options: `repeats` is the number of rounds; see `parse_options`.
        goals: ratios to reach, by the name of the other way.
        warm_up: whether a first round is not counted.
    """
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for turn in range(options.repeats + warm_up):
        for name, run in ways.items():
            measured = clock(run)
            if turn >= warm_up:
                times[name].append(measured)
    medians = {name: [*map(statistics.median, zip(*t, strict=True))] for name, t in times.items()}
    (ours, (seconds, cpu)), *others = medians.items()
    for other, (other_seconds, other_cpu) in others:
        sizes = dict(unit="s", ours_size=seconds, other_size=other_seconds)
        sizes |= dict(ours_cpu=cpu, other_cpu=other_cpu, goal=(goals or {}).get(other))
        report(options, of=of, ours=ours, other=other, **sizes)


def clock(run: Callable) -> tuple[float, float]:
    """Time a call on whatever device it uses: seconds, and CPU seconds."""
    _synchronize()
    start, cpu = time.perf_counter(), _measure_cpu()
    run()
    _synchronize()
    return time.perf_counter() - start, _measure_cpu() - cpu


def report(options: argparse.Namespace, **measured) -> None:
    """Print what was measured, and add it to the file of records if there is one.

    Args:
        measured: fields of `Record` besides the script.
    """
    record = Record(script=Path(sys.argv[0]).name, **measured)
    ours, other = (format_size(n, record.unit) for n in (record.ours_size, record.other_size))
    print(
        f"{record.of}: {record.ours} {ours}, {record.other} {other}: "
        f"{format_number(record.other_size / record.ours_size)} times",
        flush=True,
    )
    if options.records:
        with options.records.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(record)) + "\n")


def format_size(size: float, unit: str) -> str:
    """Seconds or bytes to three digits, in s or ms, MB or kB."""
    if unit == "s":
        return f"{format_number(size)} s" if size >= 1 else f"{format_number(1e3 * size)} ms"
    return f"{format_number(size / 1e6)} MB" if size >= 1e6 else f"{format_number(size / 1e3)} kB"


def format_number(number: float) -> str:
    """At least three digits: 1.53, 15.3, 153, 1,534."""
    return f"{number:,.{2 if number < 10 else 1 if number < 100 else 0}f}"


def _measure_cpu() -> float:
    """CPU seconds of this process and of those that it has started and that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
