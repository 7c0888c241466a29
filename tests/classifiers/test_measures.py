"""Measures of predictions by hand, and what an evaluation set cannot show."""

import json

import numpy as np
import pytest
from mvc.classifiers.measures import (
    count_confusion,
    list_test_warnings,
    measure_predictions,
    pack_correct,
    unpack_correct,
)
from sklearn.metrics import confusion_matrix, f1_score, recall_score

NAMES = {0: "cat", 1: "dog", 2: "hen"}


def measure(labels, predicted, names=NAMES):
    return measure_predictions(np.array(labels), np.array(predicted), names)


def make_confusion(*sizes):
    return {f"c{i}": {"c0": n} if n else {} for i, n in enumerate(sizes)}


def warn(*sizes):
    return list(list_test_warnings(make_confusion(*sizes)))


def test_measure_predictions_by_hand():
    """Recalls 3/4 and 1/2; precisions 3/4 and 1/2: F1 the same."""
    found = measure([0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 0], {0: "cat", 1: "dog"})
    assert (found["accuracy"], found["balanced_accuracy"]) == (66.6667, 62.5)
    assert found["macro_f1"] == 62.5 and found["per_class"] == {"cat": 75.0, "dog": 50.0}
    assert found["confusion"] == {"cat": {"cat": 3, "dog": 1}, "dog": {"cat": 1, "dog": 1}}


def test_measure_predictions_counts_classes_with_images_alone():
    """`hen` has no test image, and `dog` is never named."""
    found = measure([0, 0, 1, 1], [0, 2, 0, 2])
    assert found["per_class"] == {"cat": 50.0, "dog": 0.0} and found["balanced_accuracy"] == 25
    assert found["macro_f1"] == 25  # F1 of cat: 2 x 1 / (2 + 2)
    assert list(found["confusion"]) == ["cat", "dog", "hen"] and found["confusion"]["hen"] == {}


@pytest.mark.parametrize("seed", range(5))
def test_measures_are_those_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    labels, predicted = rng.integers(0, 9, (2, 40)) + 3
    names = {label: f"n{label}" for label in rng.permutation(np.arange(3, 14)).tolist()}
    present = [label for label in names if label in labels]
    how = {"labels": present, "average": "macro", "zero_division": 0}
    found = measure(labels, predicted, names)
    assert found["macro_f1"] == round(100 * f1_score(labels, predicted, **how), 4)
    assert found["balanced_accuracy"] == round(100 * recall_score(labels, predicted, **how), 4)
    counts = count_confusion(labels, predicted, list(names))
    assert (counts == confusion_matrix(labels, predicted, labels=list(names))).all()
    assert list(found["per_class"]) == [names[label] for label in present]


def test_majority_has_a_high_accuracy_and_a_low_balanced_one():
    found = measure([0] * 9 + [1], [0] * 10)
    assert found["accuracy"] == 90 and found["balanced_accuracy"] == 50
    assert found["macro_f1"] == pytest.approx(100 * (18 / 19) / 2, abs=1e-4)


def test_one_class_and_one_image():
    assert measure([1], [1])["balanced_accuracy"] == 100
    assert measure([1, 1], [0, 0])["macro_f1"] == 0


def test_a_thousand_classes_stay_small_on_disk():
    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(0, 1000, (2, 10_000))
    found = measure(labels, predicted, {i: f"n{i:08d}" for i in range(1000)})
    assert sum(sum(row.values()) for row in found["confusion"].values()) == 10_000
    assert len(json.dumps(found)) < 400_000


@pytest.mark.parametrize("n", [1, 7, 8, 9, 2000])
def test_pack_correct_round_trip(n):
    correct = np.random.default_rng(n).random(n) < 0.5
    assert np.array_equal(unpack_correct(pack_correct(correct), n), correct)
    with pytest.raises(ValueError, match="must be"):
        unpack_correct(pack_correct(correct), n + 8)


def test_list_test_warnings_says_what_one_image_is():
    (line,) = warn(10, 10, 10)
    assert line.startswith("30 test images: one image is 3.3 points") and "20 points" in line
    assert warn(300, 300) == []


def test_list_test_warnings_names_the_majority_and_missing_classes():
    small, majority, absent, few = warn(90, 8, 0, 2)
    assert "90 of 100" in majority and "90.0 %" in majority
    assert "1 of 4 classes with no test image ('c2')" in absent and "'c3'" in few
    assert any("no accuracy says anything" in line for line in warn(9, 0))
