"""Batches in which an item's result depends only on the item and its place in the set.

A matrix library may sum in another order for another shape, and for another row of the same shape.
The last bit of a result therefore depends on the shape of the batch and on the item's row, but not
on the values in the other rows. Here the place in the set fixes both, whatever the library. Items
are equal to the last bit when their set is cut into other shards or sampled in part.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby

import torch

# Every batch on a CPU has this size, whatever the setting. Larger batches are no faster there, and
# the setting then cannot change the last bit of a result.
CPU_BATCH = 8


def pick_batch_size(device: torch.device | str, wanted: int) -> int:
    """Pick the number of items to compute at once; report it where a CPU ignores the setting."""
    if torch.device(device).type != "cpu":
        return wanted
    if wanted != CPU_BATCH:
        _report_cpu_batch(wanted)
    return CPU_BATCH


@cache  # once a job
def _report_cpu_batch(wanted: int) -> None:
    print(f"batch_size = {wanted} applies to GPUs only; this CPU computes {CPU_BATCH} at a time")


def align_batches(places: Sequence[int], batch_size: int) -> Iterator[tuple[list[int], list[int]]]:
    """Yield batches of one shape, with the item at place p of its set in row p mod `batch_size`.

    One shape also keeps a compiled model compiled.

    Args:
        places: of the items in their set, ascending.

    Yields:
        The item in each of the `batch_size` rows, where rows without an item of their own repeat
        another one; and the rows to keep, in the order of the items.
    """
    for _, items in groupby(range(len(places)), lambda item: places[item] // batch_size):
        item_of = {places[item] % batch_size: item for item in items}
        filler = next(iter(item_of.values()))
        yield [item_of.get(row, filler) for row in range(batch_size)], list(item_of)
