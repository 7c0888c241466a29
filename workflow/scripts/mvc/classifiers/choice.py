"""Which of a data set's runs is taken: the one with the highest validation accuracy.

Test images have no part in it, so that the test accuracy of the run is that of images which it was
not chosen on. Its validation accuracy is the highest of many, and so too high. No torch.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from mvc.classifiers.measures import find_validation

Cell = tuple[str, str]


def read_records(paths: Sequence[str | Path]) -> list[dict]:
    """Read the records of runs."""
    return [json.loads(Path(path).read_text(encoding="utf-8")) for path in paths]


def choose_run(records: Sequence[Mapping]) -> int:
    """Choose a run by its validation accuracy; return its place.

    Of equal ones that of the arm whose seeds have the highest mean, then the first.

    Raises:
        ValueError: there are no validation images; names the key to edit.
    """
    found = [find_validation(record) for record in records]
    if None in found:
        raise ValueError(
            "there is no validation image to choose a classifier by; raise "
            "images.validation_fraction (of fashion_mnist images.validation_per_class)"
        )
    cells = [get_cell(record) for record in records]
    means = {
        cell: fmean(each.accuracy for each, of in zip(found, cells, strict=True) if of == cell)
        for cell in set(cells)
    }
    return max(range(len(records)), key=lambda i: (found[i].accuracy, means[cells[i]], -i))


def get_cell(record: Mapping) -> Cell:
    """The classifier and the arm of a run, which it shares with other seeds."""
    return record["model"], record["arm"]


def count_rivals(records: Sequence[Mapping], chosen: int, *, least: float) -> int:
    """Count the other runs whose validation accuracy, in percent, is at least `least`."""
    others = [record for i, record in enumerate(records) if i != chosen]
    return sum(find_validation(record).accuracy >= least for record in others)
