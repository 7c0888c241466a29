"""Batches in which an item's result depends on nothing but the item and its place in its set.

A matrix product of another shape may sum in another order, and so may another row of it: the last
bit of a result depends on the shape of the batch and on the item's row, never on the values in the
other rows. Both are fixed here by the place alone, whatever library multiplies. A set cut into
other shards, or sampled in part, therefore has the same items to the last bit.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby

import torch

# On a CPU every batch has this size, whatever was asked for: as fast, and the size asked for then
# cannot change a last bit either.
CPU_BATCH = 8


def pick_batch_size(device: torch.device | str, wanted: int) -> int:
    """Items to compute at once on a device; where a CPU ignores the setting, the log says so."""
    if torch.device(device).type != "cpu":
        return wanted
    if wanted != CPU_BATCH:
        _report_cpu_batch(wanted)
    return CPU_BATCH


@cache  # once a job
def _report_cpu_batch(wanted: int) -> None:
    print(f"batch_size = {wanted} is for a GPU: on this CPU {CPU_BATCH} at a time")


def align_batches(places: Sequence[int], batch_size: int) -> Iterator[tuple[list[int], list[int]]]:
    """Batches of one shape in which the item at place p of its set is row p mod `batch_size`.

    Batches of one shape also keep a compiled model compiled.

    Args:
        places: of the items, ascending.

    Yields:
        The item in each of the `batch_size` rows, where those without one of their own repeat
        another, and the rows to keep, in the order of the items.
    """
    for _, items in groupby(range(len(places)), lambda item: places[item] // batch_size):
        item_of = {places[item] % batch_size: item for item in items}
        filler = next(iter(item_of.values()))
        yield [item_of.get(row, filler) for row in range(batch_size)], list(item_of)
