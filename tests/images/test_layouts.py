"""Layouts of published image folders: parts and classes are recognised, doubts refused."""

import pytest
import raw_data
from image_builds import build, count_splits
from mvc.images.layouts import scan
from raw_data import FOLDER, picture, put, zip_of

PAIR = ("cats", "dogs")


def grow(root, *names, n=3):
    """Three pictures in each of these folders."""
    return raw_data.folder(root, dict.fromkeys(names, n))


def spread(*tops, classes=PAIR):
    return [f"{top}/{name}" for top in tops for name in classes]


def count_parts(found):
    parts = {}
    for item in found.items:
        parts[item.part] = parts.get(item.part, 0) + 1
    return parts


BOTH = {"train": 6, "test": 6}
READ = {
    "brain-mri": (spread("Training", "Testing"), BOTH),
    "shouted": (spread("TRAIN", "TEST", "Val"), BOTH | {"validation": 6}),
    "intel": ([*spread("seg_train/seg_train", "seg_test/seg_test"), "seg_pred/seg_pred"], BOTH),
    "cats-and-dogs": (spread("training_set/training_set", "test_set/test_set"), BOTH),
    "chest-x-ray": (
        spread("x/train", "x/test", "x/val", "x/x/train", "x/x/test"),
        BOTH | {"validation": 6},
    ),
    "eval": (spread("a/train", "a/eval"), BOTH),
    "without-test": (spread("train", "val"), BOTH),
    "unlabelled-test": ([*spread("train", "val"), "test"], BOTH),
    "wrapped": (spread("photos/photos"), {"all": 6}),
    "raw-img": (spread("raw-img"), {"all": 6}),
    "inner-images": (["cats/images", "dogs/images"], {"all": 6}),
    "train-images": (["train/cats/images", "train/dogs/images", *spread("test")], BOTH),
    "parts-inside": (["cats/train", "cats/test", "dogs/train", "dogs/test"], BOTH),
    "nested-copy": ([*PAIR, *spread("flowers")], {"all": 6}),
    "class-train": (["train", "cats", "dogs"], {"all": 9}),
    "test-tube": (["test tube", "cats", "dogs"], {"all": 9}),
}


@pytest.mark.parametrize("form", ["folder", "zip"])
@pytest.mark.parametrize("layout", READ)
def test_scan_reads_the_layout(tmp_path, layout, form):
    names, parts = READ[layout]
    root = grow(tmp_path / "raw", *names)
    put(root / "__MACOSX/train/._0.png", b"resource fork")
    put(root / "README.md", b"read me")
    found = scan(root)
    assert count_parts(found) == parts
    classes = {item.class_name for item in found.items}
    assert classes - {"train", "test tube"} == {*PAIR}
    if form == "zip":
        files = {str(f.relative_to(root)): f.read_bytes() for f in root.rglob("*") if f.is_file()}
        root = zip_of(tmp_path / "raw.zip", files)
    built = build(tmp_path, "imagefolder", root, FOLDER)
    assert set(built.classes) == classes and count_splits(built)["test"]


REFUSED = {
    "plant-village": (spread("color", "grayscale", "segmented"), "grayscale/cats"),
    "folds": (spread("fold_0", "fold_1", "fold_2"), "fold_1/dogs"),
    "copies-apart": (spread("natural", "data/natural"), "natural"),
    "masks": (["images", "masks"], "masks"),
    "masks-of-classes": ([*spread("images"), "masks"], "masks"),
    "inner-masks": (["cats", "cats/masks", "dogs"], "masks"),
    "no-labels": (["train", "test"], "loader: csv"),
    "only-images": (["images"], "images"),
    "kaggle": ([*spread("train"), "test"], "seeded split"),
    "lone-part": (spread("train"), "seeded split"),
    "lone-test": (spread("test"), "'train'"),
    "two-trains": (spread("train", "training", "test"), "training"),
    "flat-test": ([*PAIR, "test"], "'test'"),
    "parts-in-one": (["cats/train", "cats/test", "dogs"], "train"),
    "sites": (spread("site a/train", "site b/train"), "site a"),
    "mvtec": (["bottle/train/good", "bottle/test/bad", "cable/train/good"], "bottle"),
}


@pytest.mark.parametrize("layout", REFUSED)
def test_scan_refuses_the_layout_and_shows_what_is_there(tmp_path, layout):
    names, said = REFUSED[layout]
    with pytest.raises(ValueError) as caught:
        build(tmp_path, "imagefolder", grow(tmp_path / "raw", *names), FOLDER)
    text = str(caught.value)
    assert said in text and "datasets.mine.path" in text and ".png 3" in text


def test_scan_refuses_masks_beside_images(tmp_path):
    root = grow(tmp_path, "benign", "malignant")
    put(root / "benign/0_mask.png", picture(99))
    with pytest.raises(ValueError, match="0_mask.png"):
        scan(root)


def test_what_is_left_out_is_warned_of(tmp_path):
    root = grow(tmp_path, *PAIR, "flowers/cats", "flowers/dogs", "cats/kittens", "cats/old", n=2)
    put(root / "loose.png", picture(98))
    said = "\n".join(scan(root).warnings)
    assert "'flowers'" in said and "kittens" in said and "1 file(s) beside" in said


def test_validation_as_test_set_is_warned_of(tmp_path):
    said = " ".join(scan(grow(tmp_path, *spread("train", "valid"), "test")).warnings)
    assert "validation" in said and "'test'" in said


def test_files_are_read_by_content(tmp_path):
    root = grow(tmp_path / "raw", *PAIR)
    for i, name in enumerate(["a.jfif", "b.dib", "c", "d.weird", "e.PNG~"]):
        put(root / "cats" / name, picture(50 + i))
    for name in ("Thumbs.db", ".DS_Store", "._0.png", "notes.txt", "@eaDir/0.png/thumb.jpg"):
        put(root / "cats" / name, picture(70))
    report = build(tmp_path, "imagefolder", root, FOLDER).report
    assert report["used"] == 11
    assert report["not_used"]["suffixes"][".txt"] == 1 and report["not_used"]["count"] == 5
    assert any("'cats' (3 of 11: " in said for said in report["warnings"])


def test_file_that_is_no_image_is_refused_or_counted_by_suffix(tmp_path):
    root = grow(tmp_path / "raw", *PAIR)
    put(root / "cats/x.svg", b"<svg/>")
    put(root / "cats/y.NEF", picture(60))
    with pytest.raises(ValueError, match="2 of 8 image files"):
        build(tmp_path, "imagefolder", root, FOLDER)
    report = build(tmp_path, "imagefolder", root, FOLDER, unreadable="skip").report
    assert report["skipped"]["suffixes"] == {".svg": 1, ".nef": 1}
    assert any("'cats' (2 of 5" in said for said in report["warnings"])


@pytest.mark.parametrize("suffix", [".npy", ".mp4", ".zip", ".svg", ".cr3"])
def test_class_without_a_readable_image_stops(tmp_path, suffix):
    root = grow(tmp_path / "raw", *PAIR)
    for i in range(2):
        put(root / f"birds/{i}{suffix}", b"no image")
    with pytest.raises(ValueError, match=rf"birds.*{suffix} 2"):
        build(tmp_path, "imagefolder", root, FOLDER, unreadable="skip")


def test_packed_parts_are_named(tmp_path):
    put(tmp_path / "raw/train.zip", b"PK")
    with pytest.raises(ValueError, match=r"no image in a class folder[\s\S]*\.zip 1[\s\S]*npack"):
        build(tmp_path, "imagefolder", tmp_path / "raw", FOLDER)


def test_class_name_that_is_not_utf8_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"class folder .caf.*not UTF-8"):
        scan(grow(tmp_path, "cats", "caf\udce9"))


def test_a_circle_of_links_ends(tmp_path):
    root = grow(tmp_path, *spread("a"))
    (root / "a/loop").symlink_to(root)
    assert count_parts(scan(root)) == {"all": 6}
