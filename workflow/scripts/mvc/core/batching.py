"""Batches in which an item's result depends only on the item and its place in the set.

A matrix library may sum in another order for another shape, and for another row of the same shape.
The last bit of a result therefore depends on the shape of the batch and on the item's row, but not
on the values in the other rows. Here the place in the set fixes both, whatever the library. Items
are equal to the last bit when their set is cut into other shards or sampled in part.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import chain, groupby

import torch
from torch import Tensor

from mvc.core.device import has_exceeded_memory

# Every batch on a CPU has this size, whatever the setting. Larger batches are no faster there, and
# the setting then cannot change the last bit of a result.
CPU_BATCH = 8


def pick_batch_size(device: torch.device | str, wanted: int) -> int:
    """Pick the number of items to compute at once; report it where a CPU ignores the setting."""
    if not has_constant_batches(device):
        return wanted
    if wanted != CPU_BATCH:
        _report_cpu_batch(wanted)
    return CPU_BATCH


def has_constant_batches(device: torch.device | str) -> bool:
    """Whether all batches on a device have one size, whatever the setting: on a CPU."""
    return torch.device(device).type == "cpu"


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


def fit_memory(compute: Callable, *, device: torch.device | str, remedy: str) -> Callable:
    """Make a function of a batch compute it in parts where it exceeds a GPU's memory.

    After `torch.OutOfMemoryError` the parts are half as large, of this batch and of all later ones.
    The last bit of a result may depend on that, as it does on `batch_size`. On a CPU a batch is
    computed whole.

    Args:
        compute: takes a batch, any sequence that can be sliced, and returns a tensor or a list with
            one result per item.
        remedy: what to change where a single item does not fit.

    Returns:
        A function as `compute`. It raises MemoryError where a single item does not fit.
    """
    if has_constant_batches(device):
        return compute
    most = None

    def compute_parts(batch: Sequence | Tensor) -> Tensor | list:
        nonlocal most
        results: list = []
        done = 0
        while done < len(batch):
            part = batch[done : done + (most or len(batch))]
            result = _try_compute(compute, part, remedy)
            if result is None:
                most = len(part) // 2
                print(f"{len(part)} at once exceed the GPU's memory: going on with {most}")
            else:
                results.append(result)
                done += len(part)
        return torch.cat(results) if isinstance(results[0], Tensor) else [*chain(*results)]

    return compute_parts


def _try_compute(compute: Callable, part: Sequence | Tensor, remedy: str) -> Tensor | list | None:
    """Compute a part; None if the memory did not suffice."""
    try:
        return compute(part)
    except RuntimeError as error:
        if not has_exceeded_memory(error):
            raise
        if len(part) == 1:
            raise MemoryError(
                f"the GPU's memory does not suffice, not even for one at a time: {remedy}. {error}"
            ) from error
    torch.cuda.empty_cache()  # here, where the error no longer holds the tensors
    return None


def advise_resolution(side: int) -> str:
    """What to change where one image of `side` pixels does not fit."""
    return (
        f"set unet.resolution to {side // 2} (it is {side}), or use a GPU with more memory that no "
        "other process uses"
    )
