"""Intervals over seeds and test images: their limits, and how often they hold the truth."""

import math

import numpy as np
import pytest
from mvc.tables.intervals import bound_accuracy, bound_gain, estimate_mean
from scipy import stats

RNG = np.random.default_rng(0)


def test_estimate_mean_by_hand():
    """Seeds 1 and 2, images 0.5, 1.5 and 2.5 in the mean; MS 1.5, 2 and 0.5 (by rows, 2 x 3)."""
    values = np.array([[0, 1, 2], [1, 3, 2]])
    found = estimate_mean(values)
    seeds, images = 3 * 0.5, 2 * np.var([0.5, 2, 2], ddof=1)
    rest = values - values.mean(1, keepdims=True) - values.mean(0) + values.mean()
    rest = (rest**2).sum() / 2
    assert found.value == 1.5
    assert found.variance == pytest.approx((seeds + images - rest) / 6)


def test_with_seeds_that_agree_it_is_the_interval_over_images():
    one = RNG.random(200) < 0.9
    found = estimate_mean(np.stack([one] * 3))
    assert found.variance == pytest.approx(one.var(ddof=1) / 200) and found.freedom == 199
    assert found == pytest.approx(estimate_mean(one[None]))


def test_with_many_images_it_is_the_t_interval_over_seeds():
    ours = np.stack([RNG.random(400_000) < p for p in (0.70, 0.72, 0.75)])
    theirs = np.stack([RNG.random(400_000) < p for p in (0.60, 0.66, 0.65)])
    low, high = bound_gain(ours, theirs)
    test = stats.ttest_rel(ours.mean(1), theirs.mean(1)).confidence_interval()
    assert (low, high) == pytest.approx((100 * test.low, 100 * test.high), abs=0.2)


def test_equal_seeds_of_a_small_test_set_do_not_look_exact():
    """29 of 30, three times: Wilson's interval of 29 of 30 is about [83, 99]."""
    low, high = bound_accuracy(np.stack([np.arange(30) < 29] * 3))
    assert 80 < low < 84 and 99 < high < 100


@pytest.mark.parametrize("p, low, high", [(0, 0, 13), (1, 87, 100)])
def test_no_or_every_image(p, low, high):
    found = bound_accuracy(np.full((3, 30), bool(p)))
    assert found == pytest.approx((low, high), abs=1)


def test_arms_that_agree_may_differ_by_about_two_images():
    same = np.stack([np.arange(30) < 20] * 3)
    low, high = bound_gain(same, same)
    assert low == -high and 5 < high < 8


@pytest.mark.parametrize("n", [1, 2])
def test_one_or_two_images(n):
    both = np.ones((2, n), bool), np.zeros((2, n), bool)
    low, high = bound_accuracy(both[0])
    assert 0 <= low < high <= 100
    assert math.isnan(bound_gain(*both)[0]) == (n == 1)


@pytest.mark.parametrize("seeds, n", [(1, 300), (3, 60), (3, 600), (5, 60)])
def test_the_intervals_hold_the_truth_about_as_often_as_they_say(seeds, n):
    """Images of different difficulty, seeds of different skill: at least 92 of 100."""
    rng = np.random.default_rng(seeds * n)
    held = held_gain = 0
    for _ in range(400):
        hard = rng.normal(1, 2, n)
        skill = rng.normal(0, 0.15 if seeds > 1 else 0, (2, seeds, 1))
        x, y = rng.random((2, seeds, n)) < 1 / (1 + np.exp(-hard - skill))
        low, high = bound_accuracy(x)
        held += low <= TRUTH <= high
        low, high = bound_gain(x, y)
        held_gain += low <= 0 <= high
    assert held >= 368 and held_gain >= 368


def integrate_truth():
    """The mean accuracy of all images and seeds; skill hardly changes it."""
    rng = np.random.default_rng(1)
    z = rng.normal(1, math.hypot(2, 0.15), 1_000_000)
    return 100 * (1 / (1 + np.exp(-z))).mean()


TRUTH = integrate_truth()
