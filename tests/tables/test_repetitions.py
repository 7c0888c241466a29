"""Repetitions of Table 1: blocks of seeds, each with its own verdict."""

import pandas as pd
import pytest
from mvc.config.table_columns import TABLES
from mvc.tables.repetitions import format_page, repeat_table, summarise
from records import make_measured

LAYOUT = TABLES["table1"]


def make(seeds=6):
    """Two data sets: a clear gain on the first, none on the second."""
    parts = []
    for name, gain in (("few", 3.0), ("few-avx2", 0.0)):
        for seed in range(seeds):
            for arm, more in (("ra", 0.0), ("ra+syn", gain + 0.1 * (-1) ** seed)):
                measured = make_measured(60 + seed / 10 + more)
                run = {"dataset": name, "model": "wrn-10-1", "arm": arm, "seed": seed}
                shared = {"split": "test", "n_train": 50, "n_extra": 0, "steps": 9}
                parts.append({**run, **shared, **measured})
    return pd.DataFrame(parts)


def test_each_block_of_seeds_is_compared_alone():
    table = repeat_table(make(), LAYOUT, {"few": None, "few-avx2": "avx2"}, seeds=3)
    assert list(table["seeds"]) == ["0 to 2", "3 to 5"] * 2
    assert list(table["instructions"]) == ["own", "own", "avx2", "avx2"]
    assert list(table["verdict"]) == ["holds", "holds", "undecided", "undecided"]
    assert set(table["pairs"]) == {3}
    (row,) = summarise(table).to_dict("records")
    assert (row["repetitions"], row["holds"], row["undecided"], row["does not hold"]) == (
        4,
        2,
        2,
        0,
    )
    assert row["low"] == pytest.approx(-0.0333, abs=1e-3) and row["high"] > 3
    page = format_page(table, LAYOUT, seeds=3, digits=1, confidence=0.95)
    assert "2 of 4" in page and "avx2" in page


def test_seeds_that_fill_no_repetition_are_refused():
    with pytest.raises(ValueError, match=r"classifiers.seeds \(few\): 6 seeds.*repetition = 4"):
        repeat_table(make(), LAYOUT, {"few": None, "few-avx2": None}, seeds=4)
