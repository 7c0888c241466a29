"""Counts that several stages must agree on."""

from collections.abc import Iterable
from fractions import Fraction
from math import ceil


def count_mixed(captions: int, per_real: float | int) -> int:
    """Mixed embeddings of a class, N_y = ceil(per_real * K_y), exactly: 1.1 of 10 is 11."""
    return ceil(Fraction(str(per_real)) * captions)


def count_bank(captions: Iterable[int], per_real: float | int) -> int:
    """Entries of a bank, and images of a synthetic set: the sum of N_y over classes.

    Args:
        captions: K_y of each class.
    """
    return sum(count_mixed(n, per_real) for n in captions)


def count_steps(images: int, steps: int, steps_per_image: float | int | None) -> int:
    """Optimiser steps of fine-tuning on this many images: ceil(steps_per_image x images), at most
    `steps`; `steps` where `steps_per_image` is None.

    >>> count_steps(50, 1500, 6), count_steps(2000, 1500, 6), count_steps(50, 1500, None)
    (300, 1500, 1500)
    """
    return steps if steps_per_image is None else min(steps, count_mixed(images, steps_per_image))


def split_evenly(total: int, parts: int) -> list[int]:
    """Sizes that sum to `total` and differ by at most one."""
    return [len(slice_shard(total, part, parts)) for part in range(parts)]


def slice_shard(total: int, shard: int, shards: int) -> range:
    """The global indices of one shard: contiguous, in order, sizes differing by at most one.

    Raises:
        ValueError: `shard` is not in 0..shards-1.
    """
    if not 0 <= shard < shards:
        raise ValueError(
            f"shard = {shard}; must be in 0..{shards - 1} (synthetic.shards = {shards})"
        )
    return range(shard * total // shards, (shard + 1) * total // shards)
