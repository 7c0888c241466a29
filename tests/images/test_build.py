"""Raw data to five disjoint splits, and the guard that keeps held-out images from the generator."""

import json

import pyarrow.parquet as pq
import pytest
import raw_data
from image_builds import run_script
from mvc.core import image_tables
from mvc.core.leakage import check_disjoint, check_held_out
from mvc.images import layouts
from mvc.images.build import build_images
from mvc.images.splits import SPLITS
from raw_data import FOLDER, picture, put


def build(cfg, tmp_path, **changes):
    return build_images({**cfg, **changes}, name="mine", data=tmp_path / "data")


def ids(built, split):
    return [item.image_id for item in built.splits[split]]


NAMES = [
    "two words",
    "it's",
    'a "quote"',
    "$(touch pwned); rm -rf *",
    "Röntgen",
    "猫",
    "-n",
    "a&b|c",
]


def test_class_names_are_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    counts = {f"{part}/{name}": 3 for part in ("train", "test") for name in NAMES}
    root = raw_data.folder(tmp_path / "raw data", counts)
    outputs = run_script(tmp_path / "out", {**FOLDER, "path": str(root), "validation_fraction": 0})
    table = image_tables.read(outputs["train"])
    assert sorted(set(table["class_name"].to_pylist())) == sorted(NAMES)
    for row in table.to_pylist():
        assert row["image"]["bytes"] == (root / row["image_id"]).read_bytes()
        assert row["image"]["path"] == row["image_id"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "raw data"]


def test_decomposed_and_composed_names_are_one_class(tmp_path):
    counts = {"train/Ro\u0308ntgen": 2, "test/R\u00f6ntgen": 2, "train/b": 2, "test/b": 2}
    built = build(FOLDER, tmp_path, path=str(raw_data.folder(tmp_path / "raw", counts)))
    assert built.classes == ("R\u00f6ntgen", "b")


def test_names_that_differ_little_stay_apart(tmp_path):
    root = raw_data.folder(tmp_path / "raw", {"a": 4, "b": 4})
    for seed, name in enumerate(["x.png", "X.png", "x.PNG", "\u00e9.png", "e\u0301.png"]):
        put(root / "a" / name, picture(100 + seed))
    found = layouts.scan(root).items
    assert len({entry.image_id for entry in found}) == len(found) == 13


def test_name_that_is_not_utf8(tmp_path):
    root = raw_data.folder(tmp_path / "raw", {"a": 3, "b": 3})
    (root / "a" / "0.png").rename(root / "a" / "caf\udce9.png")
    outputs = run_script(tmp_path / "out", {**FOLDER, "path": str(root)})
    found = [i for s in SPLITS for i in image_tables.read(outputs[s])["image_id"].to_pylist()]
    assert r"a/caf\xe9.png" in found


def test_subfolders_count_and_other_files_are_reported(tmp_path):
    root = raw_data.folder(tmp_path / "raw", {"a/deep/er": 4, "b": 4})
    for name in ("notes.txt", "a/.hidden.png", "b/Thumbs.db", ".git/x.png", "loose.png"):
        put(root / name, picture(99))
    built = build(FOLDER, tmp_path, path=str(root))
    assert built.report["found"] == built.report["used"] == 8
    assert sorted(built.report["not_used"]["first"]) == sorted(
        ["notes.txt", "a/.hidden.png", "b/Thumbs.db", ".git/x.png", "loose.png"]
    )
    assert any(i.startswith("a/deep/er/") for i in ids(built, "train"))


def test_link_that_goes_round_in_a_circle_ends(tmp_path):
    root = raw_data.folder(tmp_path / "raw", {"a": 3, "b": 3})
    (root / "a" / "again").symlink_to(root)
    assert build(FOLDER, tmp_path, path=str(root)).report["used"] == 6


def test_one_folder_is_split_by_class(tmp_path):
    root = raw_data.folder(tmp_path / "raw", {"a": 20, "b": 8, "c": 2, "d": 1})
    built = build(FOLDER, tmp_path, path=str(root))
    rows = {s: built.report["splits"][s]["per_class"] for s in ("train", "validation", "test")}
    assert rows["test"] == {"a": 5, "b": 2, "c": 1, "d": 0}
    assert rows["validation"] == {"a": 5, "b": 2, "c": 0, "d": 0}
    assert rows["train"] == {"a": 10, "b": 4, "c": 1, "d": 1}
    assert len({i for s in SPLITS for i in ids(built, s)}) == 31
    assert built.report["splits"]["oracle"]["images"] == 0


def test_validation_folder_is_used(tmp_path):
    counts = {f"{part}/{name}": 4 for part in ("train", "val", "test") for name in "ab"}
    built = build(FOLDER, tmp_path, path=str(raw_data.folder(tmp_path / "raw", counts)))
    assert [len(built.splits[s]) for s in SPLITS] == [8, 8, 0, 8, 0]
    assert all(i.startswith("val/") for i in ids(built, "validation"))


def test_labels_per_class_leaves_the_rest_to_extra(tmp_path):
    root = raw_data.folder(tmp_path / "raw", {"a": 16, "b": 8})
    built = build(FOLDER, tmp_path, path=str(root), labels_per_class=5)
    assert built.report["splits"]["train"]["per_class"] == {"a": 5, "b": 4}
    assert built.report["splits"]["extra"]["per_class"] == {"a": 3, "b": 0}


def test_classes_called_train_are_classes(tmp_path):
    root = raw_data.folder(tmp_path / "raw", {"train": 4, "plane": 4})
    assert build(FOLDER, tmp_path, path=str(root)).classes == ("plane", "train")


def test_threads_and_row_groups_change_nothing(tmp_path, monkeypatch):
    root = raw_data.folder(tmp_path / "raw", {"a": 12, "b": 12})
    cfg = {**FOLDER, "path": str(root)}
    one = run_script(tmp_path / "one", cfg)
    monkeypatch.setattr("mvc.images.build.ROW_GROUP_BYTES", 600)  # two images
    two = run_script(tmp_path / "two", cfg, threads=2)
    assert pq.ParquetFile(two["train"]).num_row_groups == 6
    for split in SPLITS:
        assert image_tables.read(one[split]).equals(image_tables.read(two[split]))
        assert image_tables.read(one[split]).schema.equals(image_tables.read(one["train"]).schema)
    metadata = json.loads(pq.read_schema(one["oracle"]).metadata[b"huggingface"])
    assert metadata["info"]["features"]["image"] == {"_type": "Image"}


def test_training_copy_of_a_test_image_is_dropped(tmp_path):
    root = raw_data.folder(tmp_path / "raw", {"train/a": 3, "train/b": 3, "test/a": 3, "test/b": 3})
    put(root / "train/a/bytes.png", (root / "test/a/0.png").read_bytes())
    put(root / "train/b/pixels.bmp", picture(6 + 1, suffix="BMP"))  # the pixels of test/a/1.png
    built = build(FOLDER, tmp_path, path=str(root), validation_fraction=0)
    dropped = built.report["copies_dropped"]
    assert dropped["of_test"] == {"count": 2, "first": ["train/a/bytes.png", "train/b/pixels.bmp"]}
    assert len(built.splits["test"]) == len(built.splits["train"]) == 6


def test_copies_in_one_folder_never_cross_the_split(tmp_path):
    root = raw_data.folder(tmp_path / "raw", {"a": 6, "b": 6})
    put(root / "a" / "copy.png", (root / "a" / "0.png").read_bytes())
    put(root / "b" / "stranger.png", (root / "a" / "1.png").read_bytes())
    built = build(FOLDER, tmp_path, path=str(root))
    dropped = {why: x["first"] for why, x in built.report["copies_dropped"].items()}
    assert dropped == {
        "of_test": [],
        "repeated": ["a/copy.png"],
        "contradictory": ["a/1.png", "b/stranger.png"],
    }
    assert built.report["used"] == 11


def test_planted_test_image_is_refused(tmp_path):
    root = raw_data.folder(tmp_path / "raw", {"a": 12, "b": 12})
    outputs = run_script(tmp_path / "out", {**FOLDER, "path": str(root)})
    held_out, train = image_tables.read(outputs["held_out"]), image_tables.read(outputs["train"])
    assert sorted(set(held_out["split"].to_pylist())) == ["test", "validation"]
    check_held_out(train, held_out)
    check_held_out(image_tables.read(outputs["extra"]), held_out)
    planted = image_tables.read(outputs["test"]).slice(2, 1)
    image_tables.write(image_tables.pa.concat_tables([train, planted]), outputs["train"])
    name = planted["image_id"][0].as_py()
    with pytest.raises(ValueError, match=rf"1 held-out image.*{name} \(test\)"):
        check_held_out(image_tables.read(outputs["train"]), held_out)
    renamed = planted.set_column(3, "image_id", [["innocent.png"]])
    with pytest.raises(ValueError, match=r"innocent.png \(test\)"):
        check_held_out(image_tables.pa.concat_tables([train, renamed]), held_out)
    with pytest.raises(ValueError, match="held-out"):
        check_held_out(planted.select(["image_id", "label"]), held_out)
    with pytest.raises(ValueError, match=rf"in both tables, the first with image_id = {name}"):
        check_disjoint(image_tables.read(outputs["train"]), image_tables.read(outputs["test"]))


def test_table_that_cannot_be_checked_is_refused(tmp_path):
    table = image_tables.pa.table({"label": [0]})
    with pytest.raises(ValueError, match="not in both tables"):
        check_held_out(table, table)
