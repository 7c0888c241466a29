"""One thing that a user should know."""

from typing import NamedTuple

# Ranks: what makes results mean something else, what wastes a run, what is good to know.
FIRST, SECOND, THIRD = 0, 1, 2


class Notice(NamedTuple):
    """A plain sentence, the file with the details, and how important it is (0 first)."""

    text: str
    file: str
    rank: int = SECOND


def format_count(number: int, noun: str) -> str:
    """A number and its noun: `1 image`, `1,200 images`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
