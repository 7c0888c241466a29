"""Weights of runs: which are kept, which run is chosen, and what is refused."""

import json

import pytest
from classifier_runs import list_records, make_folder, stage
from mvc.classifiers import kept
from mvc.classifiers.choice import choose_run, count_rivals
from mvc.classifiers.measures import find_validation


def make_record(validation, arm="ra", seed=0, **changes):
    record = {"split": "test", "model": "wrn", "arm": arm, "seed": seed, "accuracy": 50.0}
    return record | {"validation_accuracy": validation, "n_validation": 20} | changes


def test_choose_run_takes_the_highest_validation_accuracy_whatever_the_test_says():
    records = [make_record(70.0, accuracy=99.0), make_record(80.0, accuracy=1.0)]
    assert choose_run(records) == 1
    assert choose_run(records[::-1]) == 0


def test_choose_run_breaks_ties_by_the_mean_of_the_arm_then_by_order():
    records = [make_record(80.0, "aa"), make_record(60.0, "aa", 1)]
    records += [make_record(80.0, "ra"), make_record(80.0, "ra", 1)]
    assert choose_run(records) == 2


def test_choose_run_refuses_without_validation_images():
    with pytest.raises(ValueError, match="images.validation_fraction"):
        choose_run([make_record(80.0), make_record(None)])


def test_count_rivals_counts_the_other_runs_within_the_interval():
    records = [make_record(value) for value in (80.0, 75.0, 70.0, 80.0)]
    assert count_rivals(records, 0, least=75.0) == 2


def test_find_validation_takes_the_accuracy_where_that_is_measured_on_validation_images():
    record = {"split": "validation", "accuracy": 61.0, "n_test": 40}
    assert find_validation(record) == (61.0, 40)
    with pytest.raises(ValueError, match="no validation accuracy; delete it"):
        find_validation({"split": "test", "accuracy": 61.0})


@pytest.mark.parametrize(
    "keep, validation, there",
    [("none", 20, False), ("best", 20, True), ("best", 0, False), ("all", 0, True)],
)
def test_save_weights_keeps_what_is_asked_for_and_removes_older_ones(
    tmp_path, keep, validation, there
):
    file = tmp_path / "results/toy/classifiers/my-wrn/ra+syn/3.safetensors"
    file.parent.mkdir(parents=True)
    file.write_text("of an older run")
    record = stage(tmp_path, keep=keep, validation=validation)
    assert file.exists() == there
    assert record["n_validation"] == validation
    assert (record["validation_accuracy"] is None) == (validation == 0)


def test_what_is_kept_changes_no_number(tmp_path):
    records = [stage(tmp_path, keep=keep) for keep in ("none", "best", "all")]
    records += [stage(tmp_path, validation=0)]
    for record in records:
        del record["seconds"], record["validation_accuracy"], record["n_validation"]
    assert records == [records[0]] * 4


def test_the_same_training_writes_the_same_weights(tmp_path):
    files = []
    for folder in (tmp_path / "one", tmp_path / "other"):
        folder.mkdir()
        record = stage(folder, keep="all")
        (path,) = list_records(folder)
        files.append(kept.name_weights(path).read_bytes())
        kept.load_weights(path, record | {"seconds": -1})
    assert files[0] == files[1]


def test_load_weights_refuses_those_that_are_not_of_the_record(tmp_path):
    record = stage(tmp_path, keep="all")
    (path,) = list_records(tmp_path)
    state, described = kept.load_weights(path, record)
    assert described.classes == ["boot", "bag", "ankle boot"] and described.size == [8, 8]
    with pytest.raises(ValueError, match="of an older training.*\n.*--force -- .*3.json"):
        kept.load_weights(path, record | {"seed": -1})
    kept.name_weights(path).write_bytes(b"cut off")
    with pytest.raises(ValueError, match=r"damaged .*\n.*--force"):
        kept.load_weights(path, record)
    kept.name_weights(path).unlink()
    with pytest.raises(ValueError, match=r"not kept.*classifiers.keep.*\n.*--force"):
        kept.load_weights(path, record)


@pytest.mark.parametrize("keep, left", [("best", 1), ("all", 3)])
def test_the_folder_leaves_the_weights_that_are_kept(tmp_path, keep, left):
    for arm, seed in (("ra", 0), ("ra", 1), ("ra+syn", 0)):
        stage(tmp_path, keep=keep, arm=arm, seed=seed, steps=6 + 6 * seed)
    checkpoint = tmp_path / "results/toy/classifiers/my-wrn/ra/.9.json.checkpoint-a.safetensors"
    checkpoint.touch()  # of a run that is being trained
    paths = list_records(tmp_path)
    make_folder(tmp_path, paths, keep=keep)
    chosen = paths[choose_run([json.loads(path.read_text()) for path in paths])]
    weights = [path for path in paths if kept.name_weights(path).exists()]
    assert chosen in weights and len(weights) == left and checkpoint.exists()
