"""Which synthetic images are used, and why."""

import numpy as np
import pyarrow as pa
import pytest
from mvc.synthetic.choice import RANK, Mark, choose_rows

NAMES = {0: "boot", 1: "bag", 2: "ankle boot"}
TRAIN = np.array([0, 1, 2, 0, 1, 2, 0])  # K = 3, 2, 2
MADE = pa.table({"label": [0, 1, 2] * 4})


def list_kept(table, train=TRAIN, names=NAMES, **settings):
    marks = choose_rows(table, train, names, **settings)
    return [row for row, mark in enumerate(marks) if mark.kept]


def test_choose_rows_takes_the_first():
    assert list_kept(MADE, per_real=1.2, select="first") == list(range(10))  # ceil: 4, 3, 3
    assert len(list_kept(MADE, per_real=0.5, select="first")) == 2 + 1 + 1
    assert list_kept(MADE, per_class=4, select="first") == [0, 1, 2, 4, 5]
    assert list_kept(MADE, select="first") == list(range(12)), "all"
    with pytest.raises(ValueError, match="per_real = 2: class 'boot' has 4 extra images of the 6"):
        choose_rows(MADE, TRAIN, NAMES, per_real=2, select="first")
    most = {"per_class": 6, "select": "first", "section": "augmented"}
    assert list_kept(MADE, **most) == [row for row in range(12) if row != 9], "3, 4 and all 4"


def test_choose_rows_leaves_unknown_classes_for_others_to_refuse():
    strange = pa.table({"label": [0, 1, 2, 3] * 3})
    assert {3, 7, 11} <= {*list_kept(strange, per_real=1, select="first")}


def test_choose_rows_takes_the_surest_of_each_class_and_says_why():
    table = pa.table(
        {"label": [0, 1, 0, 1, 0, 0], "clip_probability": [0.1, 0.9, 0.7, 0.2, 0.7, 0.8]}
    )
    settings = {"train": np.array([0, 0, 1]), "names": {0: "boot", 1: "bag"}, "per_real": 1}
    assert list_kept(table, **settings, select="first") == [0, 1, 2]
    assert list_kept(table, **settings, select="clip") == [1, 2, 5], "the first of equals"
    marks = choose_rows(table, np.array([0, 0, 1]), settings["names"], per_real=1, select="clip")
    assert (marks[4].dropped_by, marks[5].dropped_by) == (RANK, None)
    assert "3 of 4" in marks[4].reason and "first 2" in marks[4].reason


def test_choose_rows_fills_the_quota_from_what_no_filter_drops():
    wrong = Mark("oracle", "the oracle sees bag")
    dropped = {0: wrong, 6: wrong}
    marks = choose_rows(MADE, TRAIN, NAMES, per_real=0.6, select="first", dropped=dropped)
    assert [row for row, mark in enumerate(marks) if mark.kept] == [1, 2, 3, 4, 5, 9]
    assert marks[0] is wrong and marks[6] is wrong
    everything = choose_rows(MADE, TRAIN, NAMES, select="first", dropped=dropped)
    assert [row for row, mark in enumerate(everything) if not mark.kept] == [0, 6]
    few = choose_rows(MADE, TRAIN, NAMES, per_real=1, select="first", dropped=dropped)
    assert sum(mark.kept for mark in few) == 2 + 2 + 2, "fewer than wanted is no error"
