import pytest
from image_builds import build
from mvc.images.names import warn_of_names
from raw_data import FOLDER, folder


@pytest.mark.parametrize(
    "other",
    [
        "cat flap",
        "Cat Flap ",
        "cat_flap",
        "CAT-FLAP",
        "ｃａｔ flap",
        "cat\u00a0flap",
        "cat fl\u200bap",
    ],
)
def test_names_that_hardly_differ_are_warned_of_with_their_counts(other):
    said = warn_of_names({"Cat flap": 3, other: 5, "dog": 2})
    assert "'Cat flap' (3 images)" in said[0] and "(5 images)" in said[0]
    assert not any("dog" in line for line in said)


@pytest.mark.parametrize("page", ["cp437", "cp1252", "latin-1"])
def test_garbled_names_are_warned_of(page):
    (said,) = warn_of_names({"Röntgen".encode().decode(page): 1, "dog": 1})
    assert "'Röntgen'" in said


def test_usual_names_are_not_warned_of():
    assert not warn_of_names({"Röntgen": 1, "猫": 1, "crane": 1, "crane (bird)": 1, "C++": 1})


def test_the_report_says_so(tmp_path):
    root = folder(tmp_path / "raw", {"Cat": 4, "cat": 5, "dog": 4})
    report = build(tmp_path, "imagefolder", root, FOLDER).report
    assert any("'Cat' (4 images) and 'cat' (5 images)" in said for said in report["warnings"])
