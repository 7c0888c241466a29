"""Splits by fractions: groups on one side, the same images every time."""

import numpy as np
import pytest
from mvc.images.items import Item
from mvc.images.splits import check_classes, split_by_fractions

CLASSES = ("x", "y", "z")
PINNED = {
    "train": "0 3 5 9 10 12",
    "validation": "1 4 8 15",
    "extra": "2 11",
    "test": "6 7 13 14",
    "oracle": "",
}


def make_item(name, class_name, group=""):
    return Item(name, class_name, "all", lambda: b"", group, pixels=name.encode())


def make_patients(seed, patients=30):
    """Patients of 1 to 9 images; every fifth one has images of two classes."""
    rng = np.random.default_rng(seed)
    items = []
    for patient in range(patients):
        for i in range(rng.integers(1, 10)):
            label = (patient + (i % 2 and patient % 5 == 0)) % len(CLASSES)
            items.append(make_item(f"{patient}-{i}", CLASSES[label], f"p{patient}"))
    return items


def test_split_by_fractions_puts_images_without_groups_where_they_always_went():
    items = [make_item(f"{i}", CLASSES[i % 2]) for i in range(16)]
    cfg = {"test_fraction": 0.25, "validation_fraction": 0.2, "labels_per_class": 3}
    splits = split_by_fractions(items, CLASSES[:2], cfg=cfg, seed=0)
    names = {split: [item.image_id for item in chosen] for split, chosen in splits.items()}
    assert {split: " ".join(chosen) for split, chosen in names.items()} == PINNED


@pytest.mark.parametrize("seed", range(8))
def test_split_by_fractions_keeps_groups_whole(seed):
    items = make_patients(seed)
    cfg = {"test_fraction": 0.2, "validation_fraction": 0.15, "labels_per_class": 12}
    splits = split_by_fractions(items, CLASSES, cfg=cfg, seed=seed)
    assert sum(len(chosen) for chosen in splits.values()) == len(items)
    sides = [
        {item.group for item in splits["train"] + splits["extra"]},
        {item.group for item in splits["validation"]},
        {item.group for item in splits["test"]},
    ]
    assert not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])
    for name in CLASSES:
        members = {
            split: [item for item in chosen if item.class_name == name]
            for split, chosen in splits.items()
        }
        assert 0 < len(members["train"]) <= 12
        extra = {item.group for item in members["extra"]}
        assert not extra & {item.group for item in members["train"]}
        n = sum(len(chosen) for chosen in members.values())
        assert abs(len(members["test"]) - 0.2 * n) <= 9
    larger = split_by_fractions(items, CLASSES, cfg=cfg | {"labels_per_class": 30}, seed=seed)
    assert {*splits["train"]} <= {*larger["train"]}
    assert larger["test"] == splits["test"]


def test_split_by_fractions_with_groups_larger_than_the_number_wanted():
    big = [make_item(f"{g}{i}", "x", g) for g, n in (("a", 9), ("b", 5)) for i in range(n)]
    items = big + [make_item(f"c{i}", "y") for i in range(10)]
    cfg = {"test_fraction": 0.1, "validation_fraction": 0, "labels_per_class": None}
    splits = split_by_fractions(items, ("x", "y"), cfg=cfg, seed=0)
    chosen = {item.group for item in splits["test"] if item.class_name == "x"}
    assert chosen == {"b"}, "the smaller one"
    with pytest.raises(ValueError, match=r"labels_per_class = 4; must be >= 9, .*group 'a'.*'x'"):
        split_by_fractions(items, ("x", "y"), cfg=cfg | {"labels_per_class": 4}, seed=0)


@pytest.mark.parametrize("classes, named", [(("a",), "1 class"), (("a", "b", "a"), "called 'a'")])
def test_check_classes_refuses_what_cannot_be_told_apart(classes, named):
    with pytest.raises(ValueError, match=f"datasets.mine: .*{named}"):
        check_classes(classes, key="datasets.mine")
