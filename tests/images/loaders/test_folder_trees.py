"""Images in folders and archives of them; Caltech-101 without its background."""

import pytest
import raw_data
import raw_published
from image_builds import build, count_splits, list_items
from mvc.images.splits import SPLITS
from raw_data import FILES, FOLDER, picture, tar_of, zip_of
from raw_published import caltech101_at


@pytest.mark.parametrize("form", ["zip", "tar.gz", "above", "inside"])
def test_caltech_is_split_without_its_background(tmp_path, form):
    built = build(
        tmp_path,
        "caltech101",
        caltech101_at(tmp_path, form),
        {**FILES, "test_fraction": 0.2},
    )
    assert built.classes == ("Faces easy", "accordion", "yin yang")
    assert count_splits(built) == {"train": 9, "validation": 3, "test": 3}
    assert built.report["not_used"]["count"] == 5
    assert built.report["not_used"]["first"][0] == "BACKGROUND_Google/image_0001.jpg"
    files = raw_published.caltech101()
    for item in list_items(built):
        assert item.read() == files[f"101_ObjectCategories/{item.image_id}"]


def test_caltech_without_its_folder(tmp_path):
    path = zip_of(tmp_path / "c.zip", {"other/a/1.jpg": picture(1)})
    with pytest.raises(ValueError, match="no folder 101_ObjectCategories; name caltech-101.zip"):
        build(tmp_path, "caltech101", path, {**FILES, "test_fraction": 0.2})


@pytest.mark.parametrize("write, name", [(zip_of, "x.zip"), (tar_of, "x.tar"), (tar_of, "x.tgz")])
@pytest.mark.parametrize("top", ["", "my data/"])
def test_image_folder_may_be_packed(tmp_path, write, name, top):
    counts = {f"{part}/{c}": 3 for part in ("train", "test") for c in "ab"}
    root = raw_data.folder(tmp_path / "raw", counts)
    files = {top + str(f.relative_to(root)): f.read_bytes() for f in root.rglob("*.png")}
    built = build(tmp_path, "imagefolder", write(tmp_path / name, files), FOLDER)
    plain = build(tmp_path, "imagefolder", root, FOLDER)
    assert [[r.image_id for r in built.splits[s]] for s in SPLITS] == [
        [r.image_id for r in plain.splits[s]] for s in SPLITS
    ]
    assert built.report["source"] == str(tmp_path / name)
