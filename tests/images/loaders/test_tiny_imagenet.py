"""Tiny ImageNet: its validation images are the test set, its classes have names."""

import pytest
import raw_published
from image_builds import build, count_splits, label_items
from mvc.images.loaders.tiny_imagenet import name_classes
from raw_data import FILES, write_files, zip_of


@pytest.mark.parametrize("packed", [False, True])
def test_tiny_imagenet_tests_on_its_validation_images(tmp_path, packed):
    files = raw_published.tiny_imagenet()
    path = zip_of(tmp_path / "t.zip", files) if packed else write_files(tmp_path / "t", files)
    built = build(tmp_path, "tiny_imagenet", path, FILES, validation_fraction=0.25)
    assert built.classes == ("cardigan (n02113186)", "Egyptian cat", "cardigan (n02963159)")
    assert count_splits(built) == {"train": 9, "validation": 3, "test": 6}
    labels = label_items(built)
    assert labels["val/val_2.JPEG"] == 2 and labels["train/n02124075/n02124075_0.JPEG"] == 1
    for item in built.splits["test"]:
        name = item.image_id.removeprefix("val/")
        assert item.read() == files[f"tiny-imagenet-200/val/images/{name}"]


def test_tiny_imagenet_with_a_wrong_annotation_names_the_line(tmp_path):
    files = raw_published.tiny_imagenet()
    files["tiny-imagenet-200/val/val_annotations.txt"] += b"../../wnids.txt\tn02124075\t0\n"
    with pytest.raises(ValueError, match=r"val_annotations.txt line 7: .* names no image"):
        build(tmp_path, "tiny_imagenet", zip_of(tmp_path / "t.zip", files), FILES)


def test_class_without_a_name():
    assert name_classes(["n1"], "n1\tbull mastiff, dog\n") == ("bull mastiff",)
    with pytest.raises(ValueError, match="no name for n2 of wnids.txt"):
        name_classes(["n1", "n2"], "n1\tone\n")


def test_damaged_image_follows_the_key(tmp_path):
    files = raw_published.tiny_imagenet()
    files["tiny-imagenet-200/val/images/val_0.JPEG"] = b"damaged"
    path = zip_of(tmp_path / "t.zip", files)
    with pytest.raises(ValueError, match=r"1 of 18 image files.*\n  val/val_0.JPEG: not an image"):
        build(tmp_path, "tiny_imagenet", path, FILES)
    built = build(tmp_path, "tiny_imagenet", path, FILES, unreadable="skip")
    assert len(built.splits["test"]) == 5 and built.report["skipped"]["count"] == 1
