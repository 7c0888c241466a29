"""Counts that several stages must agree on."""

from fractions import Fraction
from math import ceil


def wanted(captions: int, per_real: float | int) -> int:
    """N_y = ceil(per_real * K_y), free of binary rounding: 1.1 of 10 is 11."""
    return ceil(Fraction(str(per_real)) * captions)


def bounds(total: int, shard: int, shards: int) -> range:
    """The global indices of one shard: contiguous, in order, sizes differing by at most one.

    Raises:
        ValueError: the shard is not one of `shards`.
    """
    if not 0 <= shard < shards:
        raise ValueError(f"shard {shard} of {shards}; synthetic.shards must be > {shard}")
    return range(shard * total // shards, (shard + 1) * total // shards)
