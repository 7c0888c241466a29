"""Confusion matrices: summed over seeds, normalised by row, drawn for any number of classes."""

import warnings

import numpy as np
import pytest
from mvc.figures import confusion
from PIL import Image

RECORD = {"confusion": {"cat": {"cat": 3, "dog": 1}, "dog": {"cat": 2}, "hen": {}}}


def test_sum_confusions_keeps_the_order_of_classes():
    names, counts = confusion.sum_confusions([RECORD, RECORD])
    assert names == ["cat", "dog", "hen"]
    assert counts.tolist() == [[6, 2, 0], [4, 0, 0], [0, 0, 0]]
    with pytest.raises(ValueError, match="differ in their classes"):
        confusion.sum_confusions([RECORD, {"confusion": {"dog": {}, "cat": {}, "hen": {}}}])


def test_normalise_rows_leaves_classes_without_images_empty():
    shares = confusion.normalise_rows(confusion.sum_confusions([RECORD])[1])
    assert shares[0].tolist() == [75, 25, 0] and np.isnan(shares[2]).all()


def test_list_mistakes_puts_the_most_frequent_first():
    assert confusion.list_mistakes(*confusion.sum_confusions([RECORD])) == [
        "dog → cat 100 %",
        "cat → dog 25 %",
    ]


@pytest.mark.parametrize("k", [1, 2, 10, 30, 120, 300])
def test_draw_confusion_of_few_and_many_classes(tmp_path, k):
    rng = np.random.default_rng(k)
    counts = rng.poisson(0.3, (k, k)) + np.diag(rng.integers(0, 30, k))
    names = [f"class $x_{i}$ of a rather long name" for i in range(k)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        confusion.draw_confusion(
            names, counts, "data, model, ra+syn $a$ (test)", tmp_path / "a.png"
        )
    width, height = Image.open(tmp_path / "a.png").size
    assert 300 < width < 5000 and 300 < height < 5000
