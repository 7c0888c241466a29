"""Fashion-MNIST: its file format, the places that it is found in, its splits by numbers."""

import hashlib
import socket
from pathlib import Path

import numpy as np
import pytest
import raw_data
from image_builds import run_script
from mvc.core import image_tables
from mvc.core.pixels import load
from mvc.images.build import build_images
from mvc.images.loaders import fashion_mnist
from mvc.images.splits import SPLITS
from raw_data import FASHION, put


@pytest.fixture
def pool_of_100(monkeypatch):
    monkeypatch.setattr(fashion_mnist, "POOL", 100)


def build(cfg, tmp_path, **changes):
    return build_images({**cfg, **changes}, name="mine", data=tmp_path / "data")


def ids(built, split):
    return [item.image_id for item in built.splits[split]]


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
    order = list(fashion_mnist.list_sources(tmp_path))
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
