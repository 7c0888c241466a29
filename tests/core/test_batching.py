"""An item's place in its set fixes its row and the shape of its batch."""

import pytest
import torch
from mvc.core.batching import CPU_BATCH, align_batches, fit_memory, pick_batch_size


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


def square_up_to(most, seen):
    """A function of a batch that runs out of memory with more than `most` items."""

    def square(batch):
        seen.append(len(batch))
        if len(batch) > most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return torch.tensor([item**2 for item in batch])

    return square


def test_fit_memory_halves_and_goes_on_where_it_was(capsys):
    seen = []
    compute = fit_memory(square_up_to(3, seen), device="cuda", remedy="")
    for first in (0, 10):
        batch = list(range(first, first + 10))
        assert compute(batch).tolist() == [item**2 for item in batch]
    assert seen == [10, 5, 2, 2, 2, 2, 2] + [2] * 5, "the second batch starts with what fits"
    assert capsys.readouterr().out.count("going on with") == 2


def test_fit_memory_names_the_remedy_where_one_item_does_not_fit():
    compute = fit_memory(square_up_to(0, []), device="cuda", remedy="set unet.resolution to 256")
    with pytest.raises(MemoryError, match="one at a time: set unet.resolution to 256. CUDA out"):
        compute([1, 2, 3])


def misshape(batch):
    raise RuntimeError("the shapes cannot be multiplied")


def test_fit_memory_knows_the_words_of_cublas_and_passes_other_errors_on():
    def fail(batch):
        if len(batch) > 1:
            raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`")
        return list(batch)

    assert fit_memory(fail, device="cuda", remedy="")("abc") == ["a", "b", "c"]
    with pytest.raises(RuntimeError, match="shapes"):
        fit_memory(misshape, device="cuda", remedy="")("ab")


def test_fit_memory_leaves_a_cpus_batches_whole():
    compute = square_up_to(3, [])
    assert fit_memory(compute, device="cpu", remedy="") is compute
