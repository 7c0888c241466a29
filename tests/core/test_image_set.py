"""Image tables as labelled tensors."""

import pytest
import torch
from mvc.core import pixels
from mvc.core.image_set import has_equal_channels, load_labelled, prepare_pixels
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


def test_prepare_pixels_turns_images_grey():
    colour = toy(6).images
    colour[:, 0] = 255
    files = pixels.encode(colour, grayscale=False)
    read = prepare_pixels(files, size=None, grayscale=True)
    assert has_equal_channels(read) and not has_equal_channels(colour)
    weighted = (colour * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1)
    assert (read[:, 0] - weighted).abs().max() <= 0.5
    assert torch.equal(prepare_pixels(files, size=None), colour)
    colour[:] = colour[:, :1]
    assert has_equal_channels(colour)


def test_prepare_pixels_does_not_depend_on_the_part(monkeypatch):
    files = pixels.encode(toy(7).images, grayscale=False)
    whole = prepare_pixels(files, size=None, grayscale=True)
    monkeypatch.setattr("mvc.core.image_set.PART", 2)
    assert torch.equal(prepare_pixels(files, size=None, grayscale=True), whole)


def test_load_labelled_refuses_an_image_without_source():
    lost = table(toy(3), "x", source="train")
    lost = lost.set_column(
        lost.column_names.index("source_image_id"), "source_image_id", [["a", None, "b"]]
    )
    with pytest.raises(ValueError, match="row 1 has no source_image_id"):
        load_labelled(lost, size=None)
