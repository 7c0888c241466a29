"""Data sets of Hugging Face: saved, or Parquet; nothing asks the network."""

import pytest
import raw_data
from image_builds import build, count_splits, label_items, list_items, run_script
from mvc.core import image_tables
from raw_data import FOLDER, dataset, picture, put


@pytest.fixture
def offline(monkeypatch):
    """Any connection fails."""
    import socket

    def refuse(*args):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_saved_splits_are_used(tmp_path, offline):
    import datasets

    splits = {
        "train": dataset(12),
        "validation": dataset(3, start=50),
        "unsupervised": dataset(3),
    }
    splits["test"] = dataset(6, start=90, suffix="JPEG")
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "hf")
    built = build(tmp_path, "huggingface", tmp_path / "hf", FOLDER)
    assert built.classes == ("ant", "bee", "wasp")
    assert count_splits(built) == {"train": 12, "validation": 3, "test": 6}
    assert built.report["not_used"] == {"count": 1, "first": ["unsupervised"]}
    for item in built.splits["test"]:
        i = int(item.image_id.removeprefix("test/"))
        assert item.read() == picture(90 + i, suffix="JPEG")
        assert item.class_name == built.classes[i % 3]


@pytest.mark.parametrize(
    "kind, classes",
    [
        ("class", ("ant", "bee", "wasp")),
        ("text", ("ant", "bee", "wasp")),
        ("int", ("0", "1", "2")),
    ],
)
def test_one_saved_data_set_is_split(tmp_path, offline, kind, classes):
    dataset(12, kind=kind).save_to_disk(tmp_path / "hf")
    built = build(tmp_path, "huggingface", tmp_path / "hf", FOLDER)
    assert built.classes == classes and count_splits(built) == {
        "train": 6,
        "validation": 3,
        "test": 3,
    }
    assert all(label == int(name[6:]) % 3 for name, label in label_items(built).items())


def test_parquet_files_are_told_apart_by_name(tmp_path, offline):
    folder = tmp_path / "hub" / "data"
    folder.mkdir(parents=True)
    dataset(6).to_parquet(folder / "train-00000-of-00002.parquet")
    dataset(6, start=20).to_parquet(folder / "train-00001-of-00002.parquet")
    dataset(6, start=40).to_parquet(folder / "test-00000-of-00001.parquet")
    built = build(tmp_path, "huggingface", tmp_path / "hub", FOLDER, validation_fraction=0)
    assert count_splits(built) == {"train": 12, "test": 6}
    assert built.splits["train"][7].read() == picture(21)
    dataset(6, start=60).to_parquet(folder / "test-00000-of-00001.parquet")
    again = build(tmp_path, "huggingface", tmp_path / "hub", FOLDER, validation_fraction=0)
    assert again.splits["test"][0].read() == picture(60)


def test_image_files_of_this_project_open(tmp_path, offline):
    root = raw_data.folder(tmp_path / "raw", {"a b": 12, "c": 12})
    outputs = run_script(tmp_path / "out", {**FOLDER, "path": str(root)})
    built = build(tmp_path, "huggingface", tmp_path / "out", FOLDER)
    assert built.classes == ("a b", "c")
    for split in ("train", "validation", "test"):
        table = image_tables.read(outputs[split])
        assert [r.read() for r in built.splits[split]] == image_tables.get_bytes(table)
        assert [item.class_name for item in built.splits[split]] == table["class_name"].to_pylist()
    assert sorted(built.report["not_used"]["first"]) == ["extra", "held_out", "oracle"]
    one = build(tmp_path, "huggingface", outputs["train"], FOLDER)
    assert count_splits(one) == {"train": 4, "validation": 4, "test": 4}


def test_parquet_without_marks_is_opened(tmp_path, offline):
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(
        {
            "image": pa.array([picture(i) for i in range(6)], pa.binary()),
            "label": [i % 2 for i in range(6)],
        }
    )
    pq.write_table(table, tmp_path / "plain.parquet")
    built = build(tmp_path, "huggingface", tmp_path / "plain.parquet", FOLDER)
    assert built.report["used"] == 6 and list_items(built)[4].read() == picture(4)


def test_columns_are_named_where_one_is_missing(tmp_path):
    dataset(3).remove_columns("label").save_to_disk(tmp_path / "a")
    with pytest.raises(ValueError, match=r"no column of labels; .* id \(.*picture \(Image"):
        build(tmp_path, "huggingface", tmp_path / "a", FOLDER)
    dataset(3).remove_columns("picture").save_to_disk(tmp_path / "b")
    with pytest.raises(ValueError, match=r"no column of images; its columns are id"):
        build(tmp_path, "huggingface", tmp_path / "b", FOLDER)


def test_labels_that_cannot_be_used_are_refused(tmp_path):
    import datasets

    dataset(6).map(lambda row: {"label": -1}).save_to_disk(tmp_path / "a")
    with pytest.raises(ValueError, match=r"6 image\(s\) without a label"):
        build(tmp_path, "huggingface", tmp_path / "a", FOLDER)
    other = dataset(6).cast_column("label", datasets.ClassLabel(names=["bee", "ant", "wasp"]))
    both = {"train": dataset(6), "test": other}
    datasets.DatasetDict(both).save_to_disk(tmp_path / "b")
    with pytest.raises(ValueError, match="label 0 is 'ant' and 'bee'"):
        build(tmp_path, "huggingface", tmp_path / "b", FOLDER)
    datasets.DatasetDict({"test": other}).save_to_disk(tmp_path / "c")
    with pytest.raises(ValueError, match="has the splits test; one must be called train"):
        build(tmp_path, "huggingface", tmp_path / "c", FOLDER)


def test_what_is_no_data_set_is_refused(tmp_path):
    put(tmp_path / "a" / "x.txt", b"")
    with pytest.raises(ValueError, match="no .parquet file"):
        build(tmp_path, "huggingface", tmp_path / "a", FOLDER)
    bad = put(tmp_path / "x.parquet", b"PAR1 is not enough")
    with pytest.raises(ValueError, match="x.parquet cannot be opened: "):
        build(tmp_path, "huggingface", bad, FOLDER)
    put(tmp_path / "b" / "state.json", b"{}")
    with pytest.raises(ValueError, match="b cannot be opened: "):
        build(tmp_path, "huggingface", tmp_path / "b", FOLDER)
