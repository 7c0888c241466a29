"""Counts that several stages must agree on."""

import unicodedata
from collections.abc import Mapping
from difflib import get_close_matches
from fractions import Fraction
from math import ceil

OTHERS = "others"  # in `per_real`: the classes that are not named
NAMED = 20  # classes that a message lists
PerReal = float | int | Mapping[str, float | int] | None


def count_mixed(captions: int, per_real: float | int) -> int:
    """Mixed embeddings of a class, N_y = ceil(per_real * K_y), exactly: 1.1 of 10 is 11."""
    return ceil(Fraction(str(per_real)) * captions)


def count_extra(
    sizes: Mapping[str, int], *, per_real: PerReal, per_class: int | None, section: str
) -> dict[str, int]:
    """Count the extra images of each class, N_y: mixed embeddings, synthetic images, those used.

    Args:
        sizes: K_y, the real training images of each class, by name.
        per_real: ceil(per_real x K_y) for all classes, or by class, with `others` for the rest.
        per_class: instead, what is missing to so many images in all; none where there are enough.
        section: of the configuration, for messages: `banks` or `classifiers`.

    Raises:
        ValueError: both or neither is set, a class is unknown or has no number, or no class gets an
            image.
    """
    if (per_real is None) == (per_class is None):
        raise ValueError(f"{section}.per_real, {section}.per_class: set one, the other to null")
    if per_class is not None:
        counts = {name: max(per_class - size, 0) for name, size in sizes.items()}
    else:
        shares = assign_shares(per_real, list(sizes), f"{section}.per_real")
        counts = {name: count_mixed(size, shares[name]) for name, size in sizes.items()}
    if not any(counts.values()):
        key, value = ("per_real", per_real) if per_class is None else ("per_class", per_class)
        largest = max(sizes.values(), default=0)
        raise ValueError(
            f"{section}.{key} = {value}: no class gets an extra image; classes have "
            f"{min(sizes.values(), default=0):,} to {largest:,} real ones: raise it"
        )
    return counts


def assign_shares(per_real: PerReal, names: list[str], key: str) -> dict[str, float | int]:
    """Spread `per_real` over the classes: its number, that of the class, or that of `others`.

    Raises:
        ValueError: a name is no class, a class has no number, or `others` may mean either the class
            of that name or the classes that are not named.
    """
    if not isinstance(per_real, Mapping):
        return dict.fromkeys(names, per_real)
    shares = {unicodedata.normalize("NFC", name): share for name, share in per_real.items()}
    there = f"there are {list_names(names)}"
    if unknown := [name for name in shares if name not in {*names, OTHERS}]:
        close = get_close_matches(unknown[0], names, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ValueError(f"{key}: no class {list_names(unknown)}; {hint}{there}")
    left = [name for name in names if name not in shares]
    if left and OTHERS not in shares:
        raise ValueError(
            f"{key}: no number for {list_names(left)}; name the class, or add {OTHERS}: <number> "
            "for all classes that are not named"
        )
    if left and OTHERS in names:
        raise ValueError(
            f"{key}.{OTHERS}: the class {OTHERS!r}, or all classes that are not named? Give every "
            f"class its number; left are {list_names(left)}"
        )
    return {name: shares.get(name, shares.get(OTHERS)) for name in names}


def list_names(names: list[str]) -> str:
    """List classes for a message, the first `NAMED` of them."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(repr(name) for name in names[:NAMED]) + more


def count_steps(images: int, steps: int, steps_per_image: float | int | None) -> int:
    """Count the optimiser steps of fine-tuning: ceil(steps_per_image x images), `steps` at most.

    Without `steps_per_image` it is `steps`, whatever the number of images.

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
