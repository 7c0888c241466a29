"""CIFAR-10 and CIFAR-100 in both published forms; a pickle that is no batch is refused."""

import pickle

import numpy as np
import pytest
import raw_published
from image_builds import build, count_splits, decode, label_items, list_items
from mvc.images.loaders.cifar import unpickle_batch
from raw_data import put, tar_of, write_files


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_cifar10_is_read_in_both_forms(tmp_path, binary, packed):
    files = raw_published.cifar10(binary=binary)
    path = tar_of(tmp_path / "c.tar.gz", files) if packed else write_files(tmp_path / "c", files)
    built = build(tmp_path, "cifar10", path)
    assert built.classes[:2] == ("class 0", "class 1") and len(built.classes) == 10
    assert count_splits(built) == {"train": 80, "validation": 20, "test": 20}
    assert built.report["source"] == str(path) and built.report["found"] == 120
    pixels, labels = raw_published.cifar_arrays(20, 10, seed=3)  # data_batch_4: images 60 to 79
    item = next(r for r in list_items(built) if r.image_id == "train/64")
    assert np.array_equal(decode(item), pixels[4].reshape(3, 32, 32).transpose(1, 2, 0))
    assert item.class_name == f"class {labels[4]}"
    assert all(r.image_id.startswith("test/") for r in built.splits["test"])


@pytest.mark.parametrize("binary", [False, True])
def test_cifar100_has_the_fine_classes_in_words(tmp_path, binary):
    path = tar_of(tmp_path / "c.tar.gz", raw_published.cifar100(binary=binary))
    built = build(tmp_path, "cifar100", path, labels_per_class=1, validation_fraction=0)
    assert built.classes[42] == "a b 42" and len(built.classes) == 100
    assert count_splits(built) == {"train": 100, "extra": 200, "test": 100}
    assert label_items(built)["train/142"] == 42


def test_folder_may_be_the_inner_one(tmp_path):
    folder = write_files(tmp_path / "c", raw_published.cifar10()) / "cifar-10-batches-py"
    assert count_splits(build(tmp_path, "cifar10", folder))["test"] == 20


def test_cifar_without_a_batch_names_the_files(tmp_path):
    files = raw_published.cifar10()
    del files["cifar-10-batches-py/data_batch_3"]
    with pytest.raises(ValueError, match=r"datasets.mine.path = .*data_batch_3.*batches.meta"):
        build(tmp_path, "cifar10", write_files(tmp_path / "c", files))


class Harmful:
    def __reduce__(self):
        return print, ("code was run",)


@pytest.mark.parametrize(
    "value, reason",
    [
        (pickle.dumps({"data": Harmful()}), "calls .*print, which no batch does"),
        (pickle.dumps({"data": Harmful()}, protocol=0), "calls .*print"),
        (b"cos\nsystem\n(S'true'\ntR.", "calls os.system"),
        (b"cnumpy\nfromfile\n(S'/etc/passwd'\ntR.", "calls numpy.fromfile"),
        (raw_published.python2_pickle({"data": np.zeros(3)}), "array of f8; only bytes"),
        (pickle.dumps([1, 2]), "holds no dict"),
        (b"", "Ran out of input"),
        (
            raw_published.python2_pickle({"labels": [1, 2]})[:-3],
            "truncated|ran out|Ran out|no batch",
        ),
    ],
)
def test_pickle_that_is_no_batch_is_refused_and_runs_nothing(tmp_path, capsys, value, reason):
    with pytest.raises(ValueError, match=f"batch is not a batch of CIFAR: .*{reason}"):
        unpickle_batch(put(tmp_path / "batch", value))
    assert "code was run" not in capsys.readouterr().out


def test_batches_are_read_as_pickle_itself_reads_them(tmp_path):
    data = raw_published.cifar10()["cifar-10-batches-py/test_batch"]
    expected = pickle.loads(data, encoding="latin1")
    found = unpickle_batch(put(tmp_path / "batch", data))
    assert np.array_equal(found["data"].values, expected["data"])
    assert found["labels"] == expected["labels"] and found.keys() == expected.keys()


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"labels": [0]}, "pixels .* and 1 labels do not fit"),
        ({"labels": [300] * 20}, "do not fit"),
        ({"labels": [10] * 20}, "test label 10; must be < 10"),
        ({"data": "text"}, "has no data"),
        ({"labels": None}, "no labels; it has labels, data"),
    ],
)
def test_cifar_batch_that_does_not_fit_is_refused(tmp_path, change, reason):
    files = raw_published.cifar10()
    good = {"labels": [0] * 20, "data": raw_published.cifar_arrays(20, 10)[0]}
    files["cifar-10-batches-py/test_batch"] = raw_published.python2_pickle({**good, **change})
    with pytest.raises(ValueError, match=reason):
        build(tmp_path, "cifar10", write_files(tmp_path / "c", files))


def test_binary_batch_of_another_length_is_refused(tmp_path):
    files = raw_published.cifar10(binary=True)
    files["cifar-10-batches-bin/data_batch_2.bin"] += b"\0"
    with pytest.raises(ValueError, match="data_batch_2.bin has 61,461 bytes; .* 3,073"):
        build(tmp_path, "cifar10", write_files(tmp_path / "c", files))
