"""Decoded images on disk: the pixels of `load`, mapped into memory, refused for other images."""

import pytest
import torch
from mvc.core import image_tables, pixel_cache
from mvc.core.image_set import COLUMNS, Labelled, read_labelled
from mvc.core.pixel_cache import open_pixels, write_pixels
from safetensors.torch import load_file
from toy import table, toy


@pytest.fixture
def images(tmp_path):
    """A table of images on disk, which are padded, in several row groups."""
    path = tmp_path / "train.parquet"
    data = table(toy(40, size=12), "train")
    image_tables.write(data.cast(image_tables.mark_images(data.schema, fit="pad")), path)
    return path


@pytest.mark.parametrize("threads", [1, 3])
def test_write_pixels_keeps_what_decoding_gives(images, tmp_path, monkeypatch, threads):
    monkeypatch.setattr("mvc.core.pixels.torch.get_num_threads", lambda: threads)
    monkeypatch.setattr(pixel_cache, "AT_ONCE", 7)
    decoded = tmp_path / "pixels/9/train.safetensors"
    assert write_pixels(images, decoded, size=9) == 40
    plain, mapped = (read_labelled(images, size=9, decoded=path) for path in (None, decoded))
    assert torch.equal(plain.images, mapped.images) and torch.equal(plain.labels, mapped.labels)
    assert (plain.digest, plain.ids) == (mapped.digest, mapped.ids)
    assert load_file(decoded)["pixels"].shape == (40, 3, 9, 9)
    assert [path.name for path in decoded.parent.iterdir()] == [decoded.name]


def test_oblong_images_become_squares_as_their_table_says(tmp_path):
    oblong = toy(6, size=12)
    data = table(Labelled(oblong.images[:, :, :7], oblong.labels, oblong.class_names), "x")
    found = {}
    for fit in ("crop", "pad", "squash"):
        path, decoded = tmp_path / f"{fit}.parquet", tmp_path / f"{fit}.safetensors"
        image_tables.write(data.cast(image_tables.mark_images(data.schema, fit=fit)), path)
        write_pixels(path, decoded, size=8)
        found[fit] = read_labelled(path, size=8, decoded=decoded).images
        assert torch.equal(found[fit], read_labelled(path, size=8).images)
    assert not torch.equal(found["crop"], found["pad"])


def test_mapped_pixels_are_read_where_they_are_used(images, tmp_path):
    """Opening copies nothing: both maps are of the file."""
    decoded = tmp_path / "train.safetensors"
    write_pixels(images, decoded, size=9)
    read = image_tables.read(images, [name for name in COLUMNS if name != "image"])
    mapped = open_pixels(decoded, read, size=9)
    with open("/proc/self/maps", encoding="utf-8") as maps:
        assert str(decoded) in maps.read()
    assert mapped.is_contiguous() and mapped.dtype == torch.uint8


def test_open_pixels_refuses_other_images_and_sizes(images, tmp_path):
    decoded = tmp_path / "train.safetensors"
    write_pixels(images, decoded, size=9)
    read = image_tables.read(images)
    for other, size in ((read, 8), (read.slice(1), 9), (read.take([1, 0, *range(2, 40)]), 9)):
        with pytest.raises(ValueError, match="train.safetensors.*delete it and run again"):
            open_pixels(decoded, other, size=size)


def test_an_empty_split_has_no_pixels(images, tmp_path):
    empty = tmp_path / "test.parquet"
    image_tables.write(image_tables.read(images).slice(0, 0), empty)
    assert write_pixels(empty, tmp_path / "test.safetensors", size=9) == 0
    found = read_labelled(empty, size=9, decoded=tmp_path / "test.safetensors")
    assert found.images.shape == (0, 3, 9, 9)


def test_a_damaged_image_is_named_and_leaves_no_file(images, tmp_path):
    read = image_tables.read(images)
    broken = image_tables.build_table(
        data=[*image_tables.get_bytes(read)[:-1], b"no picture"],
        image_ids=read["image_id"].to_pylist(),
        labels=read["label"].to_pylist(),
        class_names=read["class_name"].to_pylist(),
    )
    image_tables.write(broken, images)
    with pytest.raises(ValueError, match="image 39 of the batch"):
        write_pixels(images, tmp_path / "train.safetensors", size=9)
    assert [path.name for path in tmp_path.iterdir()] == ["train.parquet"]
