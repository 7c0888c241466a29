"""Progress as lines with rate and time left, the rarer the longer it takes."""

import time
from collections.abc import Callable, Iterable, Iterator

SHORTEST, LONGEST = 5.0, 300.0  # seconds between two lines of progress


SHARE = 0.05  # of the time gone by, between them: 20 hours have 300 lines


def summary(seconds: int | float, count: int = 0, unit: str = "", note: str = "") -> str:
    """What was made in how long: `200 images in 25 s (8.0/s)`, or `done in 25 s`."""
    if not count:
        return f"done in {span(seconds)}"
    text = f"{count:,} {unit} in {span(seconds)} ({rate(count, seconds)})"
    return f"{text}; {note}" if note else text


def span(seconds: int | float) -> str:
    """A time for a person: `0.4 s`, `45 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"


def rate(count: int | float, seconds: int | float) -> str:
    """Items a second, a minute or an hour, in the first of them that has at least one."""
    second = count / max(seconds, 1e-9)
    units = {"s": second, "min": 60 * second, "h": 3600 * second}
    unit = next((unit for unit, value in units.items() if value >= 1), "h")
    return f"{units[unit]:,.1f}/{unit}"


class Meter:
    """Progress, rate and time left as lines in the log, the rarer the longer it has taken."""

    def __init__(self, total: int, unit: str, *, start: int = 0):
        """Args: items in all, their name in the plural, items done before."""
        self.total, self.unit, self.start = total, unit, start
        self.begun = self.shown = time.monotonic()

    def due(self, done: int) -> bool:
        """Whether `show` would print: to be asked where its note costs something."""
        now = time.monotonic()
        wait = min(max(SHORTEST, SHARE * (now - self.begun)), LONGEST)
        return self.total > 0 and (done >= self.total or now - self.shown >= wait)

    def show(self, done: int, note: str = "") -> None:
        """Say that `done` items are finished; prints when a line is due, and at the end."""
        if not self.due(done):
            return
        self.shown = time.monotonic()
        gone, new = self.shown - self.begun, done - self.start
        left = f"{span((self.total - done) * gone / new)} left" if new else ""
        when = f"in {span(gone)}" if done >= self.total else left
        line = f"{done:,} of {self.total:,} {self.unit}  {rate(new, gone)}  {when}  {note}"
        print(line.rstrip(), flush=True)


def progress(
    items: Iterable, *, total: int, unit: str, count: Callable[..., int] = lambda item: 1
) -> Iterator:
    """Pass items on and say in the log how many have come; `count`: how many an item stands for."""
    meter, done = Meter(total, unit), 0
    for item in items:
        yield item
        done += count(item)
        meter.show(done)
