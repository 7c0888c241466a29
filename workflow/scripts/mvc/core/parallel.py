"""A function of many items in several threads, for work that leaves Python, as decoding does."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
AHEAD = 16  # items per thread whose results may wait at once


def run_in_threads(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int
) -> Iterator[Result]:
    """Yield the function's results in the order of the items; one thread computes them one by one.

    An error is raised at its item, after the results before it.
    """
    if threads <= 1:
        yield from map(function, items)
        return
    remaining = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        while part := list(islice(remaining, AHEAD * threads)):
            yield from pool.map(function, part)
