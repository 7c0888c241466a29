import pytest
from mvc.images.parts import PARTS, WORDS, assign_parts, name_part


@pytest.mark.parametrize("word", WORDS)
def test_words_are_known_in_any_case_and_beside_others(word):
    for name in (word, word.upper(), word.title(), f"{word}_set", f"seg-{word}", f"{word}2019"):
        assert name_part(name) == WORDS[word] and WORDS[word] in PARTS


@pytest.mark.parametrize("name", ["trainer", "contest", "value", "medieval", "train_and_test", ""])
def test_names_that_are_no_part(name):
    assert name_part(name) is None


@pytest.mark.parametrize(
    "names", [["seg_train", "seg_test"], ["cifar10-train", "cifar10-test"], ["train2017", "test"]]
)
def test_parts_of_one_set(names):
    assert [*assign_parts(names).values()] == ["train", "test"]


def test_assigned_parts():
    assert assign_parts(["Training", "val"]) == {"Training": "train", "val": "validation"}


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["train", "crane"], "crane"),
        (["val", "valid"], "'val' and 'valid'"),
        (["en-train", "de-test"], "different sets: 'en-train' of 'en', 'de-test' of 'de'"),
        (["fold1_train", "fold2_test"], "'fold1_train' of 'fold1'"),
    ],
)
def test_unknown_doubled_and_mixed_parts_are_refused(names, said):
    with pytest.raises(ValueError, match=said):
        assign_parts(names)
