"""Pairs of a comparison: its two sides on each labelled subset.

A labelled subset is a data set with its own labelled images, captions, mixtures and generator. Runs
of one subset share all of these, so the subset is the unit of the interval, not the run.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

SUBSET = "{subset}"


class Side(NamedTuple):
    """One side of a comparison: an arm of a classifier on a data set."""

    dataset: str
    model: str
    arm: str


class Pair(NamedTuple):
    """Two sides that differ in what a comparison is about, and share their labelled subset."""

    subset: int
    treated: Side
    control: Side


def pair_subsets(name: str, comparison: Mapping, datasets: Iterable[str]) -> list[Pair]:
    """Pair the sides of a comparison: one pair for each number that names two existing data sets.

    Args:
        comparison: `treated` and `control` as `data set/model/arm`, with `{subset}` in the data
            set's name where a number stands; `subsets`: how many to use, from the first.
        datasets: names of all.

    Raises:
        ValueError: a side does not have three parts, or too few numbers name two data sets.
    """
    found, names = [], set(datasets)
    sides = {key: comparison[key].split("/") for key in ("treated", "control")}
    for key, parts in sides.items():
        if len(parts) != 3:
            raise ValueError(
                f"evidence.comparisons.{name}.{key} = {comparison[key]!r}; must be "
                "<data set>/<classifier>/<arm>"
            )
    treated, control = (Side(*parts) for parts in sides.values())
    for subset in _find_numbers(treated.dataset, names):
        both = [
            side._replace(dataset=side.dataset.replace(SUBSET, str(subset)))
            for side in (treated, control)
        ]
        if all(side.dataset in names for side in both):
            found.append(Pair(subset, *both))
    if not found:
        raise ValueError(
            f"evidence.comparisons.{name}: no data sets {treated.dataset} and {control.dataset}; "
            f"there are {', '.join(sorted(names))}"
        )
    wanted = comparison.get("subsets", len(found))
    if wanted > len(found):
        raise ValueError(
            f"evidence.comparisons.{name}.subsets = {wanted}; there are {len(found)} of "
            f"{treated.dataset} and {control.dataset}"
        )
    return found[:wanted]


def _find_numbers(pattern: str, names: Iterable[str]) -> list[int]:
    """Find the numbers that make known names of a pattern; [0] for one without `{subset}`."""
    if SUBSET not in pattern:
        return [0]
    head, tail = map(re.escape, pattern.split(SUBSET, 1))
    hits = (re.fullmatch(rf"{head}(\d+){tail}", name) for name in names)
    return sorted(int(hit[1]) for hit in hits if hit)
