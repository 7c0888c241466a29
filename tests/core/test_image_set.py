"""Image tables as labelled tensors."""

import pytest
import torch
from mvc.core.image_set import load_labelled, match_grayscale
from toy import NAMES, table, toy


def test_load_labelled_reads_a_table():
    part = toy()
    found = load_labelled(table(part, "train"), size=None)
    assert torch.equal(found.images, part.images) and torch.equal(found.labels, part.labels)
    assert found.class_names == NAMES and found.ids == part.ids
    assert load_labelled(table(part, "x", source="train"), size=4).ids == {
        f"train/{i}" for i in range(8)
    }
    twice = table(part, "train").set_column(2, "class_name", [["boot"] * 23 + ["hat"]])
    with pytest.raises(ValueError, match="is both"):
        load_labelled(twice, size=None)


def test_match_grayscale_turns_images_grey_where_the_data_set_is():
    grey, colour = toy(), toy(6, prefix="made")
    grey.images[:] = grey.images[:, :1]
    colour.images[:, 0] = 255
    read = match_grayscale(grey, colour).images
    assert torch.equal(read[:, 0], read[:, 1]) and torch.equal(read[:, 0], read[:, 2])
    weighted = (colour.images * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1)
    assert (read[:, 0] - weighted).abs().max() <= 0.5
    assert match_grayscale(toy(), colour) is colour


def test_match_grayscale_does_not_depend_on_the_part(monkeypatch):
    grey, colour = toy(), toy(7, prefix="made")
    grey.images[:] = grey.images[:, :1]
    whole = match_grayscale(grey, colour).images
    monkeypatch.setattr("mvc.core.image_set.PART", 2)
    assert torch.equal(match_grayscale(grey, colour).images, whole)


def test_load_labelled_refuses_an_image_without_source():
    lost = table(toy(3), "x", source="train")
    lost = lost.set_column(
        lost.column_names.index("source_image_id"), "source_image_id", [["a", None, "b"]]
    )
    with pytest.raises(ValueError, match="row 1 has no source_image_id"):
        load_labelled(lost, size=None)
