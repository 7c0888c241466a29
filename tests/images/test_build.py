"""Raw data to five disjoint splits, and the guard that keeps held-out images from the generator."""

import hashlib
import json
import socket
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import raw_data
from mvc.core import image_tables
from mvc.core.leakage import assert_disjoint, refuse_held_out
from mvc.core.pixels import load
from mvc.images import folders
from mvc.images.build import build_images
from mvc.images.loaders import fashion_mnist
from mvc.images.splits import SPLITS
from raw_data import FASHION, FOLDER, picture, put, run_script


@pytest.fixture
def pool_of_100(monkeypatch):
    monkeypatch.setattr(fashion_mnist, "POOL", 100)


def build(cfg, tmp_path, **changes):
    return build_images({**cfg, **changes}, name="mine", data=tmp_path / "data")


def ids(built, split):
    return [record.image_id for record in built.splits[split]]


# Sources


@pytest.mark.parametrize("zipped", [True, False])
def test_idx_files_are_read_plain_and_gzipped(tmp_path, zipped):
    arrays = fashion_mnist.read_folder(raw_data.fashion(tmp_path, zipped=zipped))
    expected = np.random.default_rng(1).integers(0, 256, (260, 5, 4))
    assert np.array_equal(arrays.train_images, expected[:200])
    assert np.array_equal(arrays.test_images, expected[200:])
    assert arrays.test_labels[:11].tolist() == [*range(10), 0]


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "not an IDX file"),
        (b"\0\0\x0d\x01\0\0\0\x01....", "not an IDX file"),
        (raw_data.idx(np.zeros((3, 2)))[:-1], "5 elements; its header says"),
        (b"\x1f\x8b\x08\x00cut", "damaged gzip"),
    ],
)
def test_damaged_idx_names_the_file(tmp_path, data, message):
    with pytest.raises(ValueError, match=f"file-ubyte.*{message}"):
        fashion_mnist.read_idx(put(tmp_path / "file-ubyte", data))


def test_first_source_that_works_is_used_and_failures_are_told(tmp_path):
    good = raw_data.fashion(tmp_path / "good")

    def offline():
        raise OSError("network is unreachable")

    tried = {"one": lambda: tmp_path / "absent", "two": offline, "three": lambda: good}
    arrays, name, failures = fashion_mnist.find(None, data=tmp_path, key="k.path", sources=tried)
    assert name == "three" and len(arrays.train_labels) == 200
    assert failures == [f"one: no folder {tmp_path / 'absent'}", "two: network is unreachable"]


def test_sources_are_tried_from_the_nearest_to_the_farthest(tmp_path):
    order = list(fashion_mnist.automatic(tmp_path))
    words = ["Debian package", "downloaded before", "torchvision", "apt-get download"]
    assert all(word in name for word, name in zip(words, order, strict=True))


def test_no_source_lists_all_that_was_tried_and_the_mend(tmp_path):
    def offline():
        raise OSError("network is\nunreachable")

    with pytest.raises(FileNotFoundError) as caught:
        fashion_mnist.find(
            None, data=tmp_path, key="k.path", sources={"one": offline, "two": offline}
        )
    text = str(caught.value)
    assert "1. one: network is unreachable" in text and "2. two: network" in text
    assert "k.path" in text and fashion_mnist.PACKAGE in text and "train-images-idx3-ubyte" in text


def test_named_folder_without_the_data_does_not_fall_through(tmp_path):
    raw_data.fashion(tmp_path / "data" / "fashion-mnist")
    with pytest.raises(FileNotFoundError, match="k.path = .*elsewhere"):
        fashion_mnist.find(str(tmp_path / "elsewhere"), data=tmp_path / "data", key="k.path")
    (tmp_path / "partial").mkdir()
    with pytest.raises(FileNotFoundError, match="no file train-images-idx3-ubyte"):
        fashion_mnist.find(str(tmp_path / "partial"), data=tmp_path / "data", key="k.path")


def test_torchvision_download_is_kept_and_time_limited(tmp_path, monkeypatch):
    import torchvision

    def fake(root, download):
        assert download and socket.getdefaulttimeout() == fashion_mnist.PATIENCE
        raw_data.fashion(Path(root) / "FashionMNIST" / "raw")

    monkeypatch.setattr(torchvision.datasets, "FashionMNIST", fake)
    target = fashion_mnist.download(tmp_path / "data" / "fashion-mnist")
    assert len(fashion_mnist.read_folder(target).test_labels) == 60
    assert socket.getdefaulttimeout() is None
    assert [p.name for p in (tmp_path / "data").iterdir()] == ["fashion-mnist"]


def test_failed_download_leaves_nothing_behind(tmp_path, monkeypatch):
    import torchvision

    def fails(root, download):
        raise RuntimeError("Error downloading")

    monkeypatch.setattr(torchvision.datasets, "FashionMNIST", fails)
    with pytest.raises(RuntimeError):
        fashion_mnist.download(tmp_path / "fashion-mnist")
    assert list(tmp_path.iterdir()) == [] and socket.getdefaulttimeout() is None


def test_jobs_that_download_side_by_side_do_not_take_the_files_from_each_other(
    tmp_path, monkeypatch
):
    import torchvision

    target, kept = tmp_path / "data" / "fashion-mnist", []

    def fake(root, download):
        raw_data.fashion(Path(root) / "FashionMNIST" / "raw")
        if not kept:  # another job ends before this one
            kept.append(1)
            fashion_mnist.download(target)
            kept.append({p.name: p.stat().st_ino for p in target.iterdir()})

    monkeypatch.setattr(torchvision.datasets, "FashionMNIST", fake)
    fashion_mnist.download(target)
    assert {p.name: p.stat().st_ino for p in target.iterdir()} == kept[1]
    next(target.glob("train-images*")).write_bytes(b"damaged")
    fashion_mnist.download(target)
    assert len(fashion_mnist.read_folder(target).test_labels) == 60
    assert [p.name for p in target.parent.iterdir()] == ["fashion-mnist"]


def test_package_is_unpacked_without_root(tmp_path, monkeypatch):
    raw_data.fashion(tmp_path / "packed")
    inside = f"unpacked{fashion_mnist.DEBIAN}"
    programs = {
        "apt-get": "touch dataset-fashion-mnist_1_all.deb",
        "dpkg": f"mkdir -p {inside}; cp {tmp_path}/packed/* {inside}",
    }
    for name, line in programs.items():
        put(tmp_path / "bin" / name, f"#!/bin/sh\n{line}\n".encode()).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    target = fashion_mnist.unpack_package(tmp_path / "data" / "fashion-mnist")
    assert len(fashion_mnist.read_folder(target).test_labels) == 60
    put(tmp_path / "bin" / "apt-get", b"#!/bin/sh\necho E: Unable to locate >&2; exit 100\n")
    with pytest.raises(RuntimeError, match="apt-get failed: E: Unable to locate"):
        fashion_mnist.unpack_package(tmp_path / "other")


# Splits of Fashion-MNIST


def test_fashion_splits_come_from_where_they_should(tmp_path, pool_of_100):
    built = build(FASHION, tmp_path, path=str(raw_data.fashion(tmp_path / "raw")))
    sizes = {split: len(rows) for split, rows in built.splits.items()}
    assert sizes == {"train": 20, "validation": 30, "extra": 10, "test": 20, "oracle": 40}
    pool = {f"train/{i}" for i in range(100, 200)}
    used = [i for split in ("train", "validation", "extra") for i in ids(built, split)]
    assert set(used) <= pool and len(set(used)) == 60
    assert set(ids(built, "oracle")) <= {f"train/{i}" for i in range(100)}
    assert set(ids(built, "test")) <= {f"test/{i}" for i in range(60)}
    for split, n in (("train", 2), ("validation", 3), ("extra", 1), ("test", 2), ("oracle", 4)):
        assert set(built.report["splits"][split]["per_class"].values()) == {n}


@pytest.mark.parametrize("extra, train", [(1, 6), (None, 7)])
def test_null_labels_take_all_that_the_others_leave(tmp_path, pool_of_100, extra, train):
    path = str(raw_data.fashion(tmp_path / "raw"))
    built = build(FASHION, tmp_path, path=path, labels_per_class=None, extra_per_class=extra)
    counts = {split: len(ids(built, split)) // 10 for split in ("train", "validation", "extra")}
    assert counts == {"train": train, "validation": 3, "extra": extra or 0}


def test_labelled_sets_are_nested_and_validation_and_test_stay(tmp_path, pool_of_100):
    path = str(raw_data.fashion(tmp_path / "raw"))
    small, large = (build(FASHION, tmp_path, path=path, labels_per_class=n) for n in (2, 5))
    assert set(ids(small, "train")) < set(ids(large, "train"))
    assert ids(small, "validation") == ids(large, "validation")
    other = build(FASHION, tmp_path, path=path, seed=1)
    assert ids(other, "train") != ids(small, "train")
    assert ids(other, "test") == ids(small, "test")
    again = build(FASHION, tmp_path, path=path)
    assert [ids(again, s) for s in SPLITS] == [ids(small, s) for s in SPLITS]


def test_null_sizes_take_all(tmp_path, pool_of_100):
    sizes = {"extra_per_class": None, "test_per_class": None, "oracle_per_class": None}
    built = build(FASHION, tmp_path, path=str(raw_data.fashion(tmp_path / "raw")), **sizes)
    assert [len(built.splits[s]) for s in SPLITS] == [20, 30, 50, 60, 100]


@pytest.mark.parametrize(
    "key, value, allowed",
    [
        ("labels_per_class", 8, "10 images"),
        ("test_per_class", 7, "<= 6"),
        ("oracle_per_class", 11, "<= 10"),
    ],
)
def test_more_than_there_is_names_the_key(tmp_path, pool_of_100, key, value, allowed):
    path = str(raw_data.fashion(tmp_path / "raw"))
    with pytest.raises(
        ValueError, match=rf"datasets.mine.*{key}.*{value}.*{allowed}|{key} {value}"
    ):
        build(FASHION, tmp_path, path=path, **{key: value})


def test_fashion_pixels_labels_and_ids_belong_together(tmp_path, pool_of_100):
    raw = raw_data.fashion(tmp_path / "raw")
    outputs = run_script(tmp_path / "out", {**FASHION, "path": str(raw)})
    arrays = fashion_mnist.read_folder(raw)
    for split in SPLITS:
        table = image_tables.read(outputs[split])
        pixels = load(image_tables.get_bytes(table), size=None)
        for row, image in zip(table.to_pylist(), pixels, strict=True):
            side, index = row["image_id"].split("/")
            assert np.array_equal(image[0], getattr(arrays, f"{side}_images")[int(index)])
            label = getattr(arrays, f"{side}_labels")[int(index)]
            assert row["label"] == label and row["class_name"] == fashion_mnist.CLASSES[label]
            assert row["sha256"] == hashlib.sha256(row["image"]["bytes"]).hexdigest()


# A person's own folders


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
    found = folders.scan(root).entries
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


def test_folder_digest_follows_every_edit(tmp_path):
    root = raw_data.folder(tmp_path / "raw", {"a": 2, "b": 2})
    before = folders.tree_digest(root)
    assert before == folders.tree_digest(root) and folders.tree_digest(root / "absent") == ""
    put(root / "a" / "new.png", picture(50))
    added = folders.tree_digest(root)
    put(root / "a" / "new.png", picture(51, size=(13, 10)))
    changed = folders.tree_digest(root)
    (root / "a" / "new.png").rename(root / "a" / "newer.png")
    assert len({before, added, changed, folders.tree_digest(root)}) == 4


# Hygiene


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
    refuse_held_out(train, held_out)
    refuse_held_out(image_tables.read(outputs["extra"]), held_out)
    planted = image_tables.read(outputs["test"]).slice(2, 1)
    image_tables.write(image_tables.pa.concat_tables([train, planted]), outputs["train"])
    name = planted["image_id"][0].as_py()
    with pytest.raises(ValueError, match=rf"1 held-out image.*{name} \(test\)"):
        refuse_held_out(image_tables.read(outputs["train"]), held_out)
    renamed = planted.set_column(3, "image_id", [["innocent.png"]])
    with pytest.raises(ValueError, match=r"innocent.png \(test\)"):
        refuse_held_out(image_tables.pa.concat_tables([train, renamed]), held_out)
    with pytest.raises(ValueError, match="held-out"):
        refuse_held_out(planted.select(["image_id", "label"]), held_out)
    with pytest.raises(ValueError, match=rf"in both tables, the first with image_id = {name}"):
        assert_disjoint(image_tables.read(outputs["train"]), image_tables.read(outputs["test"]))


def test_table_that_cannot_be_checked_is_refused(tmp_path):
    table = image_tables.pa.table({"label": [0]})
    with pytest.raises(ValueError, match="neither of"):
        refuse_held_out(table, table)
