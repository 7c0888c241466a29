"""scikit-learn's digits, as it has them."""

import numpy as np
import pytest
from image_builds import build, decode
from raw_data import DRAWN


def test_digits_are_scikit_learns(tmp_path):
    from sklearn.datasets import load_digits

    built = build(tmp_path, "digits", None, DRAWN)
    found = load_digits()
    assert built.classes[3] == "three" and built.report["found"] == 1797
    for item in built.splits["test"][:50]:
        index = int(item.image_id.removeprefix("digits/"))
        assert item.class_name == built.classes[found.target[index]]
        assert np.abs(decode(item) / 255 * 16 - found.images[index]).max() < 0.05
    assert len(built.splits["test"]) == pytest.approx(1797 / 4, abs=5)
