"""What every stage's script shares: its log, its device, its threads, its progress."""

import os
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout


@contextmanager
def stage_log(snakemake) -> Iterator[None]:
    """Send what the stage prints to its log, errors too, and say at the end how long it took."""
    start = time.perf_counter()
    with open(snakemake.log[0], "w", buffering=1, encoding="utf-8") as log:
        with redirect_stdout(log), redirect_stderr(log):
            limit_threads(snakemake.threads)
            try:
                yield
            except Exception:
                traceback.print_exc()
                raise
            print(f"done in {time.perf_counter() - start:.1f} s")


def limit_threads(threads: int) -> None:
    """Use this many CPU threads in this process, in PyTorch too where it is loaded."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


def device():
    """The CUDA device where there is one, else the CPU."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Meter:
    """Progress, rate and time left as lines in the log, one every few seconds."""

    def __init__(self, total: int, unit: str, *, start: int = 0, every: float = 5.0):
        """Args: items in all, their name in the plural, items done before, seconds a line."""
        self.total, self.unit, self.start, self.every = total, unit, start, every
        self.begun = self.shown = time.monotonic()

    def show(self, done: int, note: str = "") -> None:
        """Say that `done` items are finished; prints when a line is due, and at the end."""
        now = time.monotonic()
        if now - self.shown < self.every and done < self.total:
            return
        self.shown = now
        rate = (done - self.start) / max(now - self.begun, 1e-9)
        left = (self.total - done) / rate if rate else 0.0
        line = f"{done:,} of {self.total:,} {self.unit}  {rate:,.1f}/s  {left:,.0f} s left  {note}"
        print(line.rstrip(), flush=True)


def progress(items: Iterable, *, total: int, unit: str) -> Iterator:
    """Pass items on and say in the log how many have come."""
    meter = Meter(total, unit)
    for done, item in enumerate(items, start=1):
        yield item
        meter.show(done)
