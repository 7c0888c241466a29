"""The stage's script: one record per run."""

from dataclasses import replace

import pytest
from classifier_runs import stage
from mvc.classifiers.run import name_run
from toy import toy


def test_script_writes_the_record(tmp_path):
    folder = tmp_path / "results/toy/classifiers/my-wrn/ra+syn"
    leftover = folder / ".3.json.checkpoint-abc.safetensors"
    leftover.parent.mkdir(parents=True)
    leftover.touch()
    record = stage(tmp_path)
    assert [path.name for path in leftover.parent.iterdir()] == ["3.json"]
    expected = {
        "dataset": "toy",
        "model": "my-wrn",
        "arm": "ra+syn",
        "seed": 3,
        "split": "test",
        "augmentation": "ra",
        "extra": "finetuned",
        "strategy": "rsp",
        "n_train": 24,
        "n_extra": 21,
        "n_test": 30,
        "steps": 6,
    }
    assert {key: record[key] for key in expected} == expected
    rest = {"accuracy", "per_class", "train_accuracy", "seconds", "settings", "test_set"}
    rest |= {"balanced_accuracy", "macro_f1", "confusion", "correct", "warnings"}
    rest |= {"validation_accuracy", "n_validation"}
    assert set(record) == set(expected) | rest
    assert "6 of 6 steps" in (tmp_path / "log").read_text()


def test_script_without_extra_images(tmp_path):
    changes = {"extra": None, "augmentation": "default"}
    record = stage(tmp_path, **changes)
    assert record["n_extra"] == 0 and record["extra"] is None and record["strategy"] == "rsp"


@pytest.mark.parametrize("augmentation", ["faa", "random"])
def test_script_with_policies_and_fewer_extra_images(tmp_path, augmentation):
    record = stage(tmp_path, augmentation=augmentation, per_real=0.5, strategy="combined")
    assert record["augmentation"] == augmentation
    assert record["n_extra"] == 12 and record["n_train"] == 24
    assert "sub_policies" not in (tmp_path / "log").read_text()


def test_script_takes_as_many_steps_as_with_extra_images(tmp_path):
    changes = {"extra": None, "steps": None, "epochs": 1, "steps_as_with": 2}
    assert stage(tmp_path, strategy="combined", **changes)["steps"] == 9  # 72 images / 8
    assert stage(tmp_path, strategy="combined", **changes | {"steps_as_with": None})["steps"] == 3


def test_name_run_depends_on_settings_images_and_files(tmp_path):
    file = tmp_path / "faa.json"
    file.write_text("a")
    real, other = replace(toy(), digest="a"), replace(toy(), digest="b")
    output, depends = tmp_path / "0.json", {"cfg": {"steps": 6}, "code": "", "seed": 0}
    names = {
        name_run(output, real, None, depends, [[], []]),
        name_run(output, other, None, depends, [[], []]),
        name_run(output, real, other, depends, [[], []]),
        name_run(output, real, None, {**depends, "seed": 1}, [[], []]),
        name_run(output, real, None, depends, [file, []]),
    }
    file.write_text("b")
    names.add(name_run(output, real, None, depends, [[], [str(file)]]))
    assert len(names) == 6 and {name.parent for name in names} == {tmp_path}
