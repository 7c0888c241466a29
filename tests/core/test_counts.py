"""Counts that several stages must agree on."""

import pytest
from mvc.core import counts


@pytest.mark.parametrize(
    "captions, per_real, entries",
    [(10, 1.1, 11), (30, 0.1, 3), (3, 0.5, 2), (2, 4, 8), (20, 4, 80), (0, 3, 0), (7, 0, 0)],
)
def test_count_mixed_is_free_of_binary_rounding(captions, per_real, entries):
    assert counts.count_mixed(captions, per_real) == entries


@pytest.mark.parametrize(
    "sizes, per_real, entries",
    [([10], 1.1, 11), ([3, 3, 3], 0.5, 6), ([1, 2, 7], 1.5, 2 + 3 + 11), ([10] * 10, 1.1, 110)],
)
def test_count_bank_rounds_up_in_each_class(sizes, per_real, entries):
    assert counts.count_bank(sizes, per_real) == entries


@pytest.mark.parametrize(
    "total, parts, sizes", [(10, 3, [3, 3, 4]), (4, 4, [1] * 4), (0, 2, [0, 0])]
)
def test_split_evenly_gives_sizes_that_differ_by_one_at_most(total, parts, sizes):
    assert sorted(counts.split_evenly(total, parts)) == sizes
