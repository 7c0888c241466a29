"""Progress as lines with rate and time left, further apart the longer a stage runs."""

import time
from collections.abc import Callable, Iterable, Iterator

# Time between two lines of progress: a share of the time so far (about 300 lines in 20 hours), at
# least and at most this many seconds.
SHARE = 0.05
SHORTEST = 5.0
LONGEST = 300.0


def summarise(seconds: int | float, count: int = 0, unit: str = "", note: str = "") -> str:
    """Summarise what was made in how long: `200 images in 25 s (8.0/s)`, or `done in 25 s`."""
    if not count:
        return f"done in {format_duration(seconds)}"
    text = f"{count:,} {unit} in {format_duration(seconds)} ({format_rate(count, seconds)})"
    return f"{text}; {note}" if note else text


def format_duration(seconds: int | float) -> str:
    """A duration in readable units: `0.4 s`, `45 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"


def format_rate(count: int | float, seconds: int | float) -> str:
    """Items per second, minute or hour: the first of these in which there is at least one."""
    second = count / max(seconds, 1e-9)
    units = {"s": second, "min": 60 * second, "h": 3600 * second}
    unit = next((unit for unit, value in units.items() if value >= 1), "h")
    return f"{units[unit]:,.1f}/{unit}"


def format_progress(done: int, total: int, unit: str, seconds: float, *, start: int = 0) -> str:
    """Progress with rate and time left: `12 of 60 jobs  2.1/min  23 min 0 s left`.

    Args:
        seconds: that the items after the first `start`, done in an earlier run, took.
    """
    new = done - start
    left = f"{format_duration((total - done) * seconds / new)} left" if new else ""
    when = f"in {format_duration(seconds)}" if done >= total else left
    return f"{done:,} of {total:,} {unit}  {format_rate(new, seconds)}  {when}"


class Meter:
    """Prints progress, rate and time left, further apart the longer it runs."""

    def __init__(self, total: int, unit: str, *, start: int = 0):
        """Args: number of items, their name in the plural, items done in an earlier run."""
        self.total, self.unit, self.start = total, unit, start
        self.started = self.shown = time.monotonic()

    def is_due(self, done: int) -> bool:
        """Whether `show` would print: ask before computing an expensive note."""
        now = time.monotonic()
        wait = min(max(SHORTEST, SHARE * (now - self.started)), LONGEST)
        return self.total > 0 and (done >= self.total or now - self.shown >= wait)

    def show(self, done: int, note: str = "") -> None:
        """Print that `done` items are finished, if a line is due or they are the last."""
        if not self.is_due(done):
            return
        self.shown = time.monotonic()
        line = format_progress(
            done, self.total, self.unit, self.shown - self.started, start=self.start
        )
        print(f"{line}  {note}".rstrip(), flush=True)


def progress(
    items: Iterable, *, total: int, unit: str, count: Callable[..., int] = lambda item: 1
) -> Iterator:
    """Yield the items and print how many there have been; `count`: how many one stands for."""
    meter, done = Meter(total, unit), 0
    for item in items:
        yield item
        done += count(item)
        meter.show(done)
