"""Counts that several stages must agree on."""

import pytest
from mvc.core import counts

SIZES = {"healthy": 90, "rare": 4, "others": 6}


def count(sizes, per_real=None, per_class=None):
    return counts.count_extra(sizes, per_real=per_real, per_class=per_class, section="banks")


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
def test_count_extra_rounds_up_in_each_class(sizes, per_real, entries):
    sizes = {str(label): size for label, size in enumerate(sizes)}
    assert sum(count(sizes, per_real).values()) == entries


@pytest.mark.parametrize(
    "per_class, numbers", [(90, [0, 86, 84]), (100, [10, 96, 94]), (6, [0, 2, 0])]
)
def test_count_extra_tops_every_class_up(per_class, numbers):
    assert list(count(SIZES, per_class=per_class).values()) == numbers


def test_count_extra_by_class():
    by_class = {"rare": 10, "healthy": 0, "others": 1.5}
    assert list(count(SIZES, by_class).values()) == [0, 40, 9]
    assert count({"a": 2, "b": 3}, {"a": 4, "others": 1}) == {"a": 8, "b": 3}
    assert count({"caf\u00e9": 2}, {"cafe\u0301": 1}) == {"caf\u00e9": 2}


@pytest.mark.parametrize(
    "sizes, per_real, says",
    [
        (SIZES, {"raer": 2, "others": 1}, "no class 'raer'; did you mean 'rare'\\? there are"),
        ({"a": 1, "b": 1}, {"a": 2}, "no number for 'b'; name the class, or add others"),
        (SIZES, {"rare": 2, "others": 1}, "the class 'others', or all classes .* 'healthy'"),
        ({"007": 1}, {"7": 1}, "no class '7'; there are '007'"),
        (SIZES, {"rare": 0, "healthy": 0, "others": 0}, "no class gets an extra image"),
    ],
)
def test_count_extra_names_what_is_there(sizes, per_real, says):
    with pytest.raises(ValueError, match=says):
        count(sizes, per_real)


def test_count_extra_refuses_what_adds_nothing_or_says_two_things():
    with pytest.raises(ValueError, match="banks.per_class = 4: no class gets .* 4 to 90 real"):
        count(SIZES, per_class=4)
    for quota in ({}, {"per_real": 1, "per_class": 9}):
        with pytest.raises(ValueError, match="set one, the other to null"):
            count(SIZES, **quota)


@pytest.mark.parametrize(
    "total, parts, sizes", [(10, 3, [3, 3, 4]), (4, 4, [1] * 4), (0, 2, [0, 0])]
)
def test_split_evenly_gives_sizes_that_differ_by_one_at_most(total, parts, sizes):
    assert sorted(counts.split_evenly(total, parts)) == sizes
