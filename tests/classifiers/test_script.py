"""The stage's script: one record per run."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from mvc.classifiers.run import name_run
from mvc.core import image_tables
from toy import table, toy


def stage(folder, **changes):
    import classifiers

    image_tables.write(table(toy(), "train"), folder / "train.parquet")
    image_tables.write(table(toy(12, 4), "extra/a", source="train"), folder / "0.parquet")
    image_tables.write(table(toy(9, 5), "extra/b", source="train"), folder / "1.parquet")
    image_tables.write(table(toy(30, 6), "test"), folder / "test.parquet")
    settings = {
        "network": "wrn-10-1",
        "seed": 0,
        "split": "test",
        "resolution": None,
        "extra": "finetuned",
        "strategy": "rsp",
        "augmentation": "ra",
        "ra": {"n": 1, "m": 5},
        "fill": "black",
        "batch_size": 8,
        "learning_rate": 0.05,
        "weight_decay": 5e-4,
        "max_grad_norm": 5.0,
        "steps": 6,
        "epochs": None,
        "pad": 1,
        "flip": True,
        "cutout": 0,
        "rsp": {"p": 0.8, "mode": "replace"},
        **changes,
    }
    extra = [folder / "0.parquet", folder / "1.parquet"] if settings["extra"] else []
    policy = folder / "faa.json"
    policy.write_text('{"sub_policies": [[["Rotate", 0.7, 2.0], ["Invert", 0.2, 5]]]}')
    output = folder / "out" / "0.json"
    classifiers.main(
        SimpleNamespace(
            input=SimpleNamespace(
                train=folder / "train.parquet",
                extra=extra,
                evaluation=folder / "test.parquet",
                policy=policy if settings["augmentation"] in ("faa", "random") else [],
                weights=[],
                decoded=[],
            ),
            output=[output],
            log=[folder / "log"],
            threads=1,
            params=SimpleNamespace(cfg=settings, code=""),
            wildcards=SimpleNamespace(dataset="toy", model="my-wrn", arm="ra+syn", seed="3"),
        )
    )
    return json.loads(output.read_text())


def test_script_writes_the_record(tmp_path):
    leftover = tmp_path / "out" / ".0.json.checkpoint-abc.safetensors"
    leftover.parent.mkdir()
    leftover.touch()
    record = stage(tmp_path)
    assert [path.name for path in leftover.parent.iterdir()] == ["0.json"]
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
