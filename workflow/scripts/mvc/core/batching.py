"""Batches of one shape, so that an item's arithmetic does not depend on how items are batched.

A matrix product of another shape sums in another order, and differs in the last bit.
"""

from collections.abc import Iterator

import torch

# On a CPU so many at a time whatever the batch size asked for: as fast, and the last bit of a
# result then does not depend on it.
CPU_BATCH = 8


def pick_batch_size(device: torch.device | str, wanted: int) -> int:
    """Items to compute at once on a device."""
    return CPU_BATCH if torch.device(device).type == "cpu" else wanted


def pad_batches(n: int, batch_size: int) -> Iterator[tuple[list[int], int]]:
    """Rows of each batch, the last one filled up with its last row, and how many are real.

    Batches of one shape also keep a compiled model compiled.
    """
    for first in range(0, n, batch_size):
        rows = list(range(first, min(first + batch_size, n)))
        yield rows + [rows[-1]] * (batch_size - len(rows)), len(rows)
