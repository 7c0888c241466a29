"""The stage's script: policies from a search or a file, and random ones."""

import json
from types import SimpleNamespace

import pytest
from mvc.core import image_tables
from mvc.policies.files import digest_policies, read_policies
from toy import table, toy


def stage(folder, own=None, **changes):
    import policies as script

    folder.mkdir(exist_ok=True)
    image_tables.write(table(toy(), "train"), folder / "train.parquet")
    training = {
        "network": "wrn-10-1",
        "resolution": None,
        "batch_size": 8,
        "learning_rate": 0.05,
        "weight_decay": 5e-4,
        "max_grad_norm": 5.0,
        "steps": 3,
        "epochs": None,
        "pad": 1,
        "flip": True,
        "cutout": 0,
        "optimizer": "sgd",
        "weights": None,
    }
    settings = {
        "file": own,
        "model": "my-wrn",
        "folds": 2,
        "rounds": 1,
        "trials": 3,
        "kept": 2,
        "sub_policies": 2,
        "operations": 2,
        "draws": 1,
        "seed": 0,
        "training": training,
        **changes,
    }
    outputs = {name: folder / "policies" / f"{name}.json" for name in ("faa", "random")}
    script.main(
        SimpleNamespace(
            input=SimpleNamespace(train=folder / "train.parquet", own=own or [], decoded=[]),
            output=SimpleNamespace(**outputs),
            log=[folder / "log"],
            threads=1,
            params=SimpleNamespace(cfg=settings),
            wildcards=SimpleNamespace(dataset="toy"),
        )
    )
    return [path.read_bytes() for path in outputs.values()]


def test_script_writes_the_same_bytes_again(tmp_path):
    faa, control = stage(tmp_path / "a")
    assert stage(tmp_path / "b") == [faa, control]
    assert stage(tmp_path / "c", seed=1)[0] != faa
    found, drawn = json.loads(faa), json.loads(control)
    assert found["data set"] == drawn["data set"] == "toy" and found["model"] == "my-wrn"
    assert found["search"]["trials"] == 3 and len(found["losses on held-out images"]) == 2
    subs = read_policies(tmp_path / "a" / "policies" / "faa.json")
    others = read_policies(tmp_path / "a" / "policies" / "random.json")
    assert len(subs) == len(others) == 8 and not set(subs) & set(others)
    assert "3 of 3 trials" in (tmp_path / "a" / "log").read_text()


def test_script_takes_policies_of_a_file(tmp_path):
    own = tmp_path / "published.json"
    own.write_text('{"sub_policies": [[["Rotate", 0.7, 2.0], ["Cutout", 0.2, 5]]], "by": "me"}')
    faa, control = map(json.loads, stage(tmp_path / "a", own=str(own)))
    assert faa["sub_policies"] == [[["Rotate", 0.7, 2.0], ["Cutout", 0.2, 5]]]
    assert faa["from"] == {"file": str(own), "sha256": digest_policies(own)}
    assert len(control["sub_policies"]) == 1 and len(control["sub_policies"][0]) == 2
    own.write_text('{"sub_policies": [[["Blur", 0.7, 2.0]]]}')
    with pytest.raises(ValueError, match="published.json: sub-policy 1, operation 1.*'Blur'"):
        stage(tmp_path / "b", own=str(own))
