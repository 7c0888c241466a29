"""An item's place in its set fixes its row and the shape of its batch."""

import pytest
import torch
from mvc.core.batching import CPU_BATCH, align_batches, pick_batch_size


def row_of(places, batch_size):
    """The row in which each place is computed, checked against the rows that are kept."""
    rows_of = {}
    for rows, kept in align_batches(places, batch_size):
        assert len(rows) == batch_size
        rows_of |= {places[rows[row]]: row for row in kept}
    return rows_of


def test_align_batches_by_hand():
    assert list(align_batches(range(5), 3)) == [([0, 1, 2], [0, 1, 2]), ([3, 4, 3], [0, 1])]
    assert list(align_batches([4, 5, 9], 4)) == [([0, 1, 0, 0], [0, 1]), ([2, 2, 2, 2], [1])]
    assert list(align_batches([], 4)) == []


@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_align_batches_keep_each_items_row_in_any_part_of_the_set(batch_size):
    whole = row_of(range(20), batch_size)
    assert whole == {place: place % batch_size for place in range(20)}
    for part in (range(7, 15), [1, 8, 9, 19]):
        assert row_of(part, batch_size) == {place: whole[place] for place in part}


def test_align_batches_keep_the_order_of_items():
    places = [2, 3, 7, 8, 9, 30]
    kept = [rows[row] for rows, real in align_batches(places, 4) for row in real]
    assert kept == list(range(6))


def test_pick_batch_size_on_a_cpu_is_always_the_same():
    assert pick_batch_size("cpu", 1) == pick_batch_size(torch.device("cpu"), 500) == CPU_BATCH
    assert pick_batch_size("cuda", 500) == 500


def test_pick_batch_size_says_once_that_a_cpu_ignores_it(capsys):
    for _ in range(2):
        pick_batch_size("cpu", 77)
    assert capsys.readouterr().out.count("batch_size = 77") == 1
