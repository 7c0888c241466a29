"""What is said of oblong images, and of near copies between the splits."""

import numpy as np
import pytest
from image_builds import build
from mvc.images.copies import SIDE, match_thumbnails
from PIL import Image
from raw_data import FILES


def draw(seed: int, width: int = 32, height: int = 32) -> Image.Image:
    """A smooth picture of its own."""
    small = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.BICUBIC)


def save_all(root, pictures: dict) -> None:
    for name, picture in pictures.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        picture.save(root / name, quality=80)


def make_set(root, **size) -> dict:
    names = [(part, kind) for part in ("train", "test") for kind in "ab"]
    pictures = {
        f"{part}/{kind}/{i}.png": draw(10 * n + i, **size)
        for n, (part, kind) in enumerate(names)
        for i in range(4)
    }
    save_all(root, pictures)
    return pictures


def find_warnings(built, word: str) -> list[str]:
    return [line for line in built.report["warnings"] if word in line]


@pytest.mark.parametrize("size", [(96, 32), (32, 96)])
@pytest.mark.parametrize("fit, warned", [("crop", True), ("pad", False), ("squash", False)])
def test_a_large_loss_of_the_crop_names_the_key(tmp_path, size, fit, warned):
    make_set(tmp_path / "raw", width=size[0], height=size[1])
    built = build(tmp_path, "imagefolder", tmp_path / "raw", FILES, fit=fit)
    assert built.report["shapes"]["crop_loss"] == {"mean": 0.6667, "largest": 0.6667, "large": 16}
    assert bool(find_warnings(built, "datasets.mine.images.fit")) == warned


def test_crops_that_are_the_same_are_counted(tmp_path):
    blank = Image.new("RGB", (64, 64))
    for i, name in enumerate(make_set(tmp_path / "raw")):
        picture = blank.copy()
        picture.paste((20 + 10 * i, 9, 9), (0, 0, 8, 8))
        wide = Image.new("RGB", (192, 64))
        wide.paste(picture, (0, 0))
        wide.save(tmp_path / "raw" / name)
    built = build(tmp_path, "imagefolder", tmp_path / "raw", FILES)
    assert built.report["shapes"]["crops_alike"] == 16
    assert find_warnings(built, "16 image(s) that differ")


def test_square_images_give_no_warning(tmp_path):
    make_set(tmp_path / "raw")
    built = build(tmp_path, "imagefolder", tmp_path / "raw", FILES)
    assert built.report["warnings"] == []
    assert built.report["shapes"]["sizes"] == {"32 x 32": 16}
    assert all(found["count"] == 0 for found in built.report["near_copies"].values())


@pytest.mark.parametrize("change", ["saved again", "resized", "darker"])
def test_near_copies_of_test_images_are_counted_and_kept(tmp_path, change):
    pictures = make_set(tmp_path / "raw")
    picture = pictures["test/a/0.png"]
    name = "train/a/9.jpg"
    if change == "resized":
        name, picture = "train/a/9.png", picture.resize((50, 50), Image.BICUBIC)
    elif change == "darker":
        name, picture = "train/a/9.png", picture.point(lambda value: value // 2 + 20)
    save_all(tmp_path / "raw", {name: picture})
    cfg = {**FILES, "validation_fraction": 0}
    built = build(tmp_path, "imagefolder", tmp_path / "raw", cfg)
    found = built.report["near_copies"]["train, test"]
    assert found == {"count": 1, "first": [f"{name} ~ test/a/0.png"]}
    assert find_warnings(built, "near copies")
    assert name in {item.image_id for item in built.splits["train"]}


def test_repeated_test_images_are_warned_of_and_kept(tmp_path):
    pictures = make_set(tmp_path / "raw")
    save_all(tmp_path / "raw", {"test/a/9.png": pictures["test/a/0.png"]})
    built = build(tmp_path, "imagefolder", tmp_path / "raw", FILES)
    assert find_warnings(built, f"1 of {len(built.splits['test'])} test image(s) repeat others")


def test_match_thumbnails_equals_all_correlations(monkeypatch):
    monkeypatch.setattr("mvc.images.copies.BLOCK", 3)
    rng = np.random.default_rng(0)
    second = rng.integers(0, 256, (8, SIDE**2), dtype=np.uint8)
    first = np.concatenate([rng.integers(0, 256, (5, SIDE**2), dtype=np.uint8), second[[6, 2]]])
    flat = np.zeros((1, SIDE**2), np.uint8)
    found = set(match_thumbnails(np.concatenate([flat, first]), np.concatenate([flat, second])))
    assert found == {(6, 7), (7, 3)}
