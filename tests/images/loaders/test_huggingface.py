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
    with pytest.raises(ValueError, match="holds 'test': one must be called train"):
        build(tmp_path, "huggingface", tmp_path / "c", FOLDER)


def test_what_is_no_data_set_is_refused(tmp_path):
    put(tmp_path / "a" / "x.txt", b"")
    with pytest.raises(ValueError, match="no .parquet file"):
        build(tmp_path, "huggingface", tmp_path / "a", FOLDER)
    bad = put(tmp_path / "x.parquet", b"PAR1 is not enough")
    with pytest.raises(ValueError, match="x.parquet cannot be opened: x.parquet, which is damaged"):
        build(tmp_path, "huggingface", bad, FOLDER)
    put(tmp_path / "b" / "state.json", b"{}")
    with pytest.raises(ValueError, match="b cannot be opened: "):
        build(tmp_path, "huggingface", tmp_path / "b", FOLDER)


def write_parquet(root, *names, n=6):
    """Files of distinct pictures, by their names below a folder."""
    for i, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        dataset(n, start=100 * i).to_parquet(root / name)
    return root


@pytest.mark.parametrize(
    "names",
    [
        ("train/0000.parquet", "test/0000.parquet"),
        ("plain_text/train/0000.parquet", "plain_text/test/0000.parquet"),
        ("plain_text/train-00000-of-00001.parquet", "plain_text/test-00000-of-00001.parquet"),
        ("data/Training-00000-of-00001-0123456789abcdef.parquet", "data/TEST.parquet"),
        ("default/train/a.parquet", "default/eval/a.parquet"),
    ],
)
def test_parts_of_parquet_files_are_told_by_folder_and_name(tmp_path, offline, names):
    root = write_parquet(tmp_path / "hub", *names)
    built = build(tmp_path, "huggingface", root, FOLDER, validation_fraction=0)
    assert count_splits(built) == {"train": 6, "test": 6}
    assert [item.read() for item in built.splits["test"]] == [picture(100 + i) for i in range(6)]


@pytest.mark.parametrize(
    "names, said",
    [
        (
            ("a/train/0000.parquet", "b/train/0000.parquet"),
            "several configurations: a, b; name one",
        ),
        (
            ("a/train.parquet", "train.parquet"),
            "several configurations: the files in hub itself, a",
        ),
        (("a.parquet", "b.parquet"), "holds 'a', 'b': one must be called train"),
        (("train/0.parquet", "holdout/0.parquet"), "'holdout' may be a test part"),
        (("a/0000.parquet", "b/0000.parquet"), "several configurations: a, b|'a', 'b'"),
        (("train.parquet", "training.parquet"), "'train' and 'training' are both a train part"),
    ],
)
def test_groups_that_are_no_known_part_are_never_joined(tmp_path, offline, names, said):
    root = write_parquet(tmp_path / "hub", *names)
    with pytest.raises(ValueError, match=said):
        build(tmp_path, "huggingface", root, FOLDER)


def test_saved_splits_in_other_words_are_used(tmp_path, offline):
    import datasets

    splits = {"Train": dataset(9), "Test": dataset(6, start=50)}
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "hf")
    built = build(tmp_path, "huggingface", tmp_path / "hf", FOLDER, validation_fraction=0)
    assert count_splits(built) == {"train": 9, "test": 6}
    splits = {"train": dataset(9), "dev": dataset(6, start=50)}
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "hf2")
    built = build(tmp_path, "huggingface", tmp_path / "hf2", FOLDER, validation_fraction=0)
    assert count_splits(built) == {"train": 9, "test": 6}
    assert any("used as the test set" in warning for warning in built.report["warnings"])


def save(folder, data, **features):
    """A saved data set of columns; pictures in `image` where none are given."""
    import datasets

    n = len(next(iter(data.values())))
    pictures = [{"bytes": picture(i), "path": None} for i in range(n)]
    columns = {"image": pictures, **data}
    kinds = {"image": datasets.Image(), **features}
    features = datasets.Features({name: kinds[name] for name in columns})
    datasets.Dataset.from_dict(columns, features=features).save_to_disk(folder)
    return folder


def test_the_column_of_images_is_the_one_called_so_or_is_chosen(tmp_path, offline):
    import datasets

    masks = [{"bytes": picture(500 + i), "path": None} for i in range(12)]
    label = datasets.ClassLabel(names=["a", "b"])
    labels = [i % 2 for i in range(12)]
    kinds = {"mask": datasets.Image(), "photo": datasets.Image(), "label": label}
    pictures = [{"bytes": picture(i), "path": None} for i in range(12)]
    both = {"mask": masks, "image": pictures, "label": labels}
    features = datasets.Features({"mask": kinds["mask"], "image": kinds["mask"], "label": label})
    datasets.Dataset.from_dict(both, features=features).save_to_disk(tmp_path / "a")
    built = build(tmp_path, "huggingface", tmp_path / "a", FOLDER)
    assert {item.read() for item in list_items(built)} == {picture(i) for i in range(12)}
    assert built.report["columns"] == {"image": "image", "label": "label"}
    assert any("not 'mask'" in warning for warning in built.report["warnings"])
    unclear = {"mask": masks, "photo": pictures, "label": labels}
    features = datasets.Features(kinds)
    datasets.Dataset.from_dict(unclear, features=features).save_to_disk(tmp_path / "b")
    with pytest.raises(
        ValueError, match=r"several columns of images \(mask, photo\).*image_column"
    ):
        build(tmp_path, "huggingface", tmp_path / "b", FOLDER)
    built = build(tmp_path, "huggingface", tmp_path / "b", FOLDER, image_column="photo")
    assert {item.read() for item in list_items(built)} == {picture(i) for i in range(12)}
    with pytest.raises(ValueError, match="images.image_column = 'foto'.*its columns are mask"):
        build(tmp_path, "huggingface", tmp_path / "b", FOLDER, image_column="foto")


def test_one_of_several_columns_of_labels_is_chosen(tmp_path, offline):
    import datasets

    fine = datasets.ClassLabel(names=["a", "b", "c", "d"])
    coarse = datasets.ClassLabel(names=["e", "f"])
    data = {"fine_label": [i % 4 for i in range(16)], "coarse_label": [i % 2 for i in range(16)]}
    path = save(tmp_path / "a", data, fine_label=fine, coarse_label=coarse)
    with pytest.raises(ValueError, match=r"labels \(fine_label, coarse_label\).*label_column"):
        build(tmp_path, "huggingface", path, FOLDER)
    built = build(tmp_path, "huggingface", path, FOLDER, label_column="coarse_label")
    assert built.classes == ("e", "f")


def test_names_that_no_row_has_are_left_out_with_a_warning(tmp_path, offline):
    import datasets

    label = datasets.ClassLabel(names=["a", "b", "background", "c"])
    path = save(tmp_path / "a", {"label": [(0, 1, 3)[i % 3] for i in range(12)]}, label=label)
    built = build(tmp_path, "huggingface", path, FOLDER)
    assert built.classes == ("a", "b", "c")
    assert any("'background'" in warning for warning in built.report["warnings"])


@pytest.mark.parametrize(
    "labels, said",
    [
        ([0, 1] * 5 + [-1, None], r"split 'train': 2 of 12 image\(s\) without a label"),
        ([-1] * 12, "all are hidden: save the data set without this split"),
        ([0.5, 1.0] * 6, "'label' .* is no class"),
        ([[0], [0, 1]] * 6, "'label' .* is a list: an image has one class here"),
    ],
)
def test_labels_that_are_no_class_are_refused_with_their_split(tmp_path, offline, labels, said):
    import datasets

    kind = datasets.Value("float64" if isinstance(labels[0], float) else "int64")
    kind = datasets.Sequence(kind) if isinstance(labels[0], list) else kind
    with pytest.raises(ValueError, match=said):
        build(tmp_path, "huggingface", save(tmp_path / "a", {"label": labels}, label=kind), FOLDER)


@pytest.mark.parametrize(
    "names, said",
    [
        (["ant", "ant"], r"class_name 'ant' has several labels: 0, 1"),
        (["ant", "bee", "ant", "wasp"], r"label 1 has several names: 'bee', 'wasp'"),
    ],
)
def test_labels_and_class_names_go_in_pairs(tmp_path, offline, names, said):
    import datasets

    data = {"label": [i % 2 for i in range(12)]}
    data["class_name"] = [names[i % len(names)] for i in range(12)]
    kinds = {"label": datasets.Value("int64"), "class_name": datasets.Value("string")}
    with pytest.raises(ValueError, match=said):
        build(tmp_path, "huggingface", save(tmp_path / "a", data, **kinds), FOLDER)


def test_a_single_file_that_is_named_is_split_whatever_it_is_called(tmp_path, offline):
    root = write_parquet(tmp_path / "hub", "test.parquet", n=12)
    built = build(tmp_path, "huggingface", root / "test.parquet", FOLDER)
    assert count_splits(built) == {"train": 6, "validation": 3, "test": 3}


@pytest.mark.parametrize("path", ["", "data/train-00000-of-00003.parquet"])
def test_a_set_with_missing_shards_is_refused(tmp_path, offline, path):
    names = [f"data/train-0000{i}-of-00003.parquet" for i in (0, 2)]
    root = write_parquet(tmp_path / "hub", *names, "data/test-00000-of-00001.parquet")
    with pytest.raises(ValueError, match="[12] of the 3 shards of .*/data/train"):
        build(tmp_path, "huggingface", root / path, FOLDER)


@pytest.mark.parametrize(
    "change, said",
    [
        (
            lambda d: d.rename_column("label", "target"),
            "train-0-of-2.parquet has .* train-1-of-2",
        ),
        (lambda d: rename_classes(d, ["bee", "ant", "wasp"]), r"label \(bee, ant, wasp\)"),
        (lambda d: d.select([]), "train-1-of-2.parquet, which has no row"),
    ],
)
def test_shards_that_differ_are_refused(tmp_path, offline, change, said):
    dataset(6).to_parquet(tmp_path / "train-0-of-2.parquet")
    change(dataset(6, start=30)).to_parquet(tmp_path / "train-1-of-2.parquet")
    with pytest.raises(ValueError, match=said):
        build(tmp_path, "huggingface", tmp_path, FOLDER)


def rename_classes(data, names):
    import datasets

    return data.cast_column("label", datasets.ClassLabel(names=names))


def test_a_pointer_of_git_lfs_is_named(tmp_path, offline):
    root = write_parquet(tmp_path / "hub", "train.parquet")
    put(root / "test.parquet", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(ValueError, match="test.parquet, which is a pointer of Git LFS"):
        build(tmp_path, "huggingface", root, FOLDER)


def test_splits_of_different_classes_are_refused(tmp_path, offline):
    text = rename_classes(dataset(6, start=30), ["ant", "bee", "zebra"])
    dataset(6).to_parquet(tmp_path / "train.parquet")
    import datasets

    text.cast_column("label", datasets.Value("string")).map(
        lambda row: {"label": ["ant", "bee", "zebra"][int(row["label"])]}
    ).to_parquet(tmp_path / "test.parquet")
    with pytest.raises(ValueError, match="different classes: one has 'zebra'"):
        build(tmp_path, "huggingface", tmp_path, FOLDER)


def test_a_column_that_holds_the_parts_is_never_passed_over(tmp_path, offline):
    import datasets

    data = {"label": ["a", "b"] * 6, "usage": ["train"] * 8 + ["TEST"] * 4}
    data["patient"] = ["p", "q"] * 6
    kinds = dict.fromkeys(data, datasets.Value("string"))
    with pytest.raises(ValueError, match="'usage' holds train, TEST"):
        build(tmp_path, "huggingface", save(tmp_path / "a", data, **kinds), FOLDER)
    del data["usage"]
    built = build(tmp_path, "huggingface", save(tmp_path / "b", data, **kinds), FOLDER)
    assert any("'patient' is not used" in warning for warning in built.report["warnings"])


def test_labels_are_read_without_blanks_around_them_and_in_one_unicode_form(tmp_path, offline):
    import datasets

    text = datasets.Value("string")
    data = {"label": ["caf\u00e9", "cafe\u0301 ", "tea"] * 4}
    built = build(tmp_path, "huggingface", save(tmp_path / "a", data, label=text), FOLDER)
    assert built.classes == ("caf\u00e9", "tea")
    data = {"label": ["a", " "] * 6}
    with pytest.raises(ValueError, match="6 of 12 .* without a label"):
        build(tmp_path, "huggingface", save(tmp_path / "b", data, label=text), FOLDER)
    data, kind = {"label": [0, 1] * 6}, datasets.ClassLabel(names=["cat", "cat "])
    with pytest.raises(ValueError, match="several labels are called 'cat'"):
        build(tmp_path, "huggingface", save(tmp_path / "c", data, label=kind), FOLDER)


def test_a_chosen_column_without_images_is_refused(tmp_path, offline):
    import datasets

    kind = datasets.Value("string")
    path = save(tmp_path / "a", {"label": ["a", "b"] * 6}, label=kind)
    with pytest.raises(ValueError, match="images.image_column = 'label'.* its columns are image"):
        build(tmp_path, "huggingface", path, FOLDER, image_column="label")
