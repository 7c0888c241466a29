"""Two ways to the same result, timed in turns in one run."""

import argparse
import statistics
import time
from collections.abc import Callable

import torch


def parse_options(parser: argparse.ArgumentParser, **tiny: int) -> argparse.Namespace:
    """The command line's options; `--tiny` sets some to values that show only that all runs."""
    parser.add_argument("--tiny", action="store_true", help="the least work, to see that it runs")
    options = parser.parse_args()
    if options.tiny:
        vars(options).update(tiny)
    return options


def race(ours: Callable, other: Callable, *, names: tuple[str, str], repeats: int, of: str) -> None:
    """Print the median time of both ways, and how many times faster the first one is.

    Args:
        ours, other: functions without arguments; run in turns, the first round not timed.
        names: of the two ways.
        of: what one call makes, for the printed line.
    """
    times: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(repeats + 1):
        for name, run in zip(names, (ours, other), strict=True):
            _synchronize()
            start = time.perf_counter()
            run()
            _synchronize()
            if turn:
                times[name].append(time.perf_counter() - start)
    medians = [statistics.median(times[name]) for name in names]
    for name, seconds in zip(names, medians, strict=True):
        print(f"{name:14} {1000 * seconds:9.1f} ms for {of}")
    print(f"{names[0]}: {medians[1] / medians[0]:.2f} x faster")


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
