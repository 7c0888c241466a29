"""Files of augmentation policies, and random policies."""

import json

import numpy as np
import pytest
from mvc.policies import files
from mvc.policies.files import draw_policies, drop_repeated, format_policies, read_policies
from mvc.training.autoaugment import NAMES
from toy import generator

PUBLISHED = ((("Rotate", 0.7, 2.0), ("Cutout", 0.2, 5)), (("Invert", 0.0, 30),))


def test_a_file_reads_back_and_has_a_line_for_each_sub_policy(tmp_path):
    text = format_policies(PUBLISHED, {"data set": "Straße", "from": {"file": "a.json"}})
    (tmp_path / "a.json").write_text(text, "utf-8")
    assert read_policies(tmp_path / "a.json") == PUBLISHED
    assert '  [["Rotate", 0.7, 2.0], ["Cutout", 0.2, 5]],\n  [["Invert", 0.0, 30]]\n' in text
    found = json.loads(text)
    assert list(found) == ["format", "data set", "from", "sub_policies"]
    assert found["data set"] == "Straße" and found["format"] == "mvc policies 1"


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "policies.file: .* is not JSON"),
        ("\xff", "policies.file: .* is not JSON"),
        ('[["Rotate", 1, 1]]', 'has no list "sub_policies"; must be like'),
        ('{"sub_policies": []}', 'has no list "sub_policies"'),
        ('{"sub_policies": [[["Rotate", 1, 1]], []]}', r"sub-policy 2 = \[\]; must be a list"),
        ('{"sub_policies": [["Rotate", 1, 1]]}', "sub-policy 1, operation 1 = Rotate; must be"),
        ('{"sub_policies": [[["Rotate", 1]]]}', "sub-policy 1, operation 1 = .*must be .operation"),
        (
            '{"sub_policies": [[["Invert", 1, 1], ["Blur", 1, 1]]]}',
            "sub-policy 1, operation 2 = .*'Blur'; must be one of Identity, ShearX",
        ),
        ('{"sub_policies": [[["Rotate", 1.2, 1]]]}', "probability of 0..1 and a level of 0..30"),
        ('{"sub_policies": [[["Rotate", 1, 31]]]}', "probability of 0..1 and a level of 0..30"),
        ('{"sub_policies": [[["Rotate", 1, NaN]]]}', "probability of 0..1 and a level of 0..30"),
        ('{"sub_policies": [[["Rotate", true, 1]]]}', "probability of 0..1 and a level of 0..30"),
        ('{"sub_policies": [[[["Rotate"], 1, 1]]]}', "must be one of Identity"),
    ],
)
def test_bad_files_name_the_entry(text, message, tmp_path):
    (tmp_path / "a.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=message):
        read_policies(tmp_path / "a.json")


def test_unique_keeps_the_order():
    first, second = PUBLISHED
    assert drop_repeated([second, first, [*second], first]) == (second, first)


def test_random_policies_are_of_the_same_size_and_space():
    lengths = [2] * 600 + [1, 3]
    found = draw_policies(lengths, generator=generator())
    assert list(map(len, found)) == lengths and len(set(found)) == len(found)
    assert found == draw_policies(lengths, generator=generator())
    assert found != draw_policies(lengths, generator=generator(1))
    kinds, chances, levels = zip(*(step for sub in found for step in sub), strict=True)
    assert set(kinds) == set(files.SPACE) == set(NAMES) - {"Identity"}
    assert len(files.SPACE) == 15
    shares = np.bincount([files.SPACE.index(kind) for kind in kinds]) / len(kinds)
    assert shares == pytest.approx(1 / 15, abs=0.03)
    assert np.mean(chances) == pytest.approx(0.5, abs=0.04) and 0 <= min(chances)
    assert np.mean(levels) == pytest.approx(5, abs=0.4) and 9.5 < max(levels) <= 10
