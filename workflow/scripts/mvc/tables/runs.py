"""Records of classifier runs: reading them, and checks of what one table must not mix.

A run is one classifier: one data set, model, arm and seed. A cell is the runs that differ in their
seed only.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

KEYS = ["dataset", "model"]
CELL = [*KEYS, "arm"]
MEASURES = ("accuracy", "balanced_accuracy", "macro_f1")
COUNTS = ("n_train", "n_extra", "n_test", "steps")
PER_IMAGE = ("confusion", "correct", "test_set")
FIELDS = (*CELL, "seed", "split", *MEASURES, *COUNTS, *PER_IMAGE, "settings")
NESTED = ("per_class", "confusion", "warnings")  # in a record, but in no table


def read_runs(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Read the JSON record of each run, one row per run in this order, and check them.

    Raises:
        ValueError: a file is not a run's record, or `check_runs` refuses them together.
    """
    records = []
    for path in paths:
        try:
            record = json.loads(Path(path).read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise ValueError(
                f"{path} is cut off or not JSON ({error}); delete it and run again"
            ) from error
        missing = [field for field in FIELDS if field not in record]
        if missing:
            raise ValueError(f"{path}: no {', '.join(missing)}; delete it and run again")
        records.append({**record, "file": str(path)})
    if not records:
        raise ValueError("no runs to put in a table")
    runs = pd.DataFrame(records).astype(dict.fromkeys(MEASURES, float))
    check_runs(runs)
    return runs


def check_runs(runs: pd.DataFrame) -> None:
    """Refuse runs that one table must not mix: every number in it has to mean the same.

    Raises:
        ValueError: a run twice; several splits; seeds of one cell with different settings; arms
            of one data set evaluated on different numbers of images.
    """
    _check_one_value(runs, "split", [], "a table is of one split")
    _check_one_value(runs, "n_test", ["dataset"], "arms are compared on the same images")
    _check_one_value(runs, "test_set", ["dataset"], "arms are compared on the same images")
    for field in ("settings", "n_train", "n_extra", "steps"):
        _check_one_value(runs, field, CELL, "seeds of one arm share everything but the seed")
    twice = runs[runs.duplicated([*CELL, "seed"], keep=False)]
    if len(twice):
        raise ValueError(f"the same run twice: {_name_files(twice)}")


def flatten_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """Flatten runs to one row each, with the recall of each class in columns `class: <name>`."""
    last = ["test_set", "correct"]
    flat = runs.drop(columns=[*NESTED, *last], errors="ignore")
    if "per_class" in runs:
        recalls = pd.DataFrame(runs["per_class"].tolist(), runs.index)
        flat = flat.join(recalls.add_prefix("class: "))
    return flat.join(runs[last])


def _check_one_value(runs: pd.DataFrame, field: str, within: list[str], why: str) -> None:
    groups = runs.groupby(within, sort=False) if within else [((), runs)]
    for key, group in groups:
        if group[field].nunique(dropna=False) > 1:
            first = group.drop_duplicates(field)
            where = " ".join(map(str, key)) + ": " if within else ""
            raise ValueError(f"{where}{field} differs ({why}): {_name_files(first, field)}")


def _name_files(runs: pd.DataFrame, field: str | None = None) -> str:
    values = [f" ({field} {v})" for v in runs[field]] if field else [""] * len(runs)
    return ", ".join(f"{file}{value}" for file, value in zip(runs["file"], values, strict=True))
