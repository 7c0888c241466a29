"""Fast AutoAugment: files of policies, random ones, the search, and the stage's script."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mvc.core import image_tables, pixels
from mvc.core.image_set import Labelled
from mvc.policies import files
from mvc.policies.files import (
    digest_policies,
    draw_policies,
    drop_repeated,
    format_policies,
    read_policies,
)
from mvc.policies.search import HeldOutLoss, Search, search, select_rows, split_folds, try_policies
from mvc.training.augment import apply_policy, normalise
from mvc.training.autoaugment import NAMES, build_policy
from mvc.training.fit import fit
from mvc.training.hyperparameters import Hyperparameters

CPU = torch.device("cpu")
PUBLISHED = ((("Rotate", 0.7, 2.0), ("Cutout", 0.2, 5)), (("Invert", 0.0, 30),))
BLACK = torch.zeros(3, dtype=torch.uint8)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def toy(n=24, seed=0, size=8):
    """Three classes that differ in brightness."""
    rng = np.random.default_rng(seed)
    labels = torch.arange(n) % 3
    noise = torch.from_numpy(rng.integers(0, 40, (n, 3, size, size)))
    images = (labels[:, None, None, None] * 80 + noise).byte()
    return Labelled(images, labels, {0: "boot", 1: "bag", 2: "hat"})


def hyperparameters(**changes):
    plain = {
        "augmentation": "default",
        "batch_size": 8,
        "learning_rate": 0.05,
        "weight_decay": 5e-4,
    }
    return Hyperparameters(**{**plain, "max_grad_norm": 5.0, "steps": 20, "pad": 0, **changes})


def size(**changes):
    plain = {"folds": 2, "rounds": 1, "trials": 4, "kept": 2, "sub_policies": 2, "operations": 2}
    return Search(**{**plain, "draws": 1, **changes})


def fitted():
    return fit(
        toy(), None, model="wrn-10-1", hyperparameters=hyperparameters(), root=0, seed=0, device=CPU
    )


# Files


def test_a_file_reads_back_and_has_a_line_for_each_sub_policy(tmp_path):
    text = format_policies(PUBLISHED, {"data set": "Straße", "from": {"file": "a.json"}})
    (tmp_path / "a.json").write_text(text, "utf-8")
    assert read_policies(tmp_path / "a.json") == PUBLISHED
    assert '  [["Rotate", 0.7, 2.0], ["Cutout", 0.2, 5]],\n  [["Invert", 0.0, 30]]\n' in text
    found = json.loads(text)
    assert list(found) == ["format", "data set", "from", "sub_policies"]
    assert found["data set"] == "Straße" and found["format"] == "mvc policies 1"


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "policies.file: .* is no JSON"),
        ("\xff", "policies.file: .* is no JSON"),
        ('[["Rotate", 1, 1]]', 'has no list "sub_policies"; must be like'),
        ('{"sub_policies": []}', 'has no list "sub_policies"'),
        ('{"sub_policies": [[["Rotate", 1, 1]], []]}', r"sub-policy 2 = \[\]; must be a list"),
        ('{"sub_policies": [["Rotate", 1, 1]]}', "sub-policy 1, operation 1 = Rotate; must be"),
        ('{"sub_policies": [[["Rotate", 1]]]}', "sub-policy 1, operation 1 = .*must be .operation"),
        (
            '{"sub_policies": [[["Invert", 1, 1], ["Blur", 1, 1]]]}',
            "sub-policy 1, operation 2 = .*'Blur'; must be one of Identity, ShearX",
        ),
        ('{"sub_policies": [[["Rotate", 1.2, 1]]]}', "probability of 0..1 and a level of 0..30"),
        ('{"sub_policies": [[["Rotate", 1, 31]]]}', "probability of 0..1 and a level of 0..30"),
        ('{"sub_policies": [[["Rotate", 1, NaN]]]}', "probability of 0..1 and a level of 0..30"),
        ('{"sub_policies": [[["Rotate", true, 1]]]}', "probability of 0..1 and a level of 0..30"),
        ('{"sub_policies": [[[["Rotate"], 1, 1]]]}', "must be one of Identity"),
    ],
)
def test_bad_files_name_the_entry(text, message, tmp_path):
    (tmp_path / "a.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=message):
        read_policies(tmp_path / "a.json")


def test_unique_keeps_the_order():
    first, second = PUBLISHED
    assert drop_repeated([second, first, [*second], first]) == (second, first)


# Random policies


def test_random_policies_are_of_the_same_size_and_space():
    lengths = [2] * 600 + [1, 3]
    found = draw_policies(lengths, generator=generator())
    assert list(map(len, found)) == lengths and len(set(found)) == len(found)
    assert found == draw_policies(lengths, generator=generator())
    assert found != draw_policies(lengths, generator=generator(1))
    kinds, chances, levels = zip(*(step for sub in found for step in sub), strict=True)
    assert set(kinds) == set(files.SPACE) == set(NAMES) - {"Identity"}
    assert len(files.SPACE) == 15
    shares = np.bincount([files.SPACE.index(kind) for kind in kinds]) / len(kinds)
    assert shares == pytest.approx(1 / 15, abs=0.03)
    assert np.mean(chances) == pytest.approx(0.5, abs=0.04) and 0 <= min(chances)
    assert np.mean(levels) == pytest.approx(5, abs=0.4) and 9.5 < max(levels) <= 10


# Search


def test_folds_are_stratified_and_apart():
    part = toy(n=30)
    found = list(split_folds(part, 5, root=0))
    assert sorted(np.concatenate([held for _, held in found])) == list(range(30))
    for learnt, held in found:
        assert not set(learnt) & set(held) and len(learnt) + len(held) == 30
        assert select_rows(part, held).labels.bincount().tolist() == [2, 2, 2]
    again = [held.tolist() for _, held in split_folds(part, 5, root=0)]
    assert again == [held.tolist() for _, held in found]
    assert again != [held.tolist() for _, held in split_folds(part, 5, root=1)]


@pytest.mark.parametrize("n", [1, 11])
def test_bad_folds_are_refused(n):
    with pytest.raises(ValueError, match=f"policies.folds = {n}; must be 2..10"):
        split_folds(toy(n=30), n, root=0)


def test_more_kept_than_tried_is_refused():
    with pytest.raises(ValueError, match="policies.kept = 5; must be <= trials = 4"):
        size(kept=5)


def test_loss_is_the_mean_cross_entropy(monkeypatch):
    part, network = toy(seed=3), fitted()
    loss_under = HeldOutLoss(network, part, hyperparameters=hyperparameters(), draws=1, seed=4)

    def loss(images):
        logits = network.net(normalise(images, mean=network.mean, std=network.std))
        return F.cross_entropy(logits, part.labels).item()

    network.net.eval()
    assert loss_under(None) == pytest.approx(loss(part.images), rel=1e-5)
    chosen = build_policy(PUBLISHED, size=(8, 8))
    moved = apply_policy(part.images, chosen, fill=BLACK, generator=generator(4))
    assert loss_under(PUBLISHED) == pytest.approx(loss(moved), rel=1e-5)
    assert loss_under(PUBLISHED) == loss_under(PUBLISHED)  # the same draws
    invert = ((("Invert", 1.0, 0.0),),)
    assert loss_under(invert) == pytest.approx(loss(255 - part.images), rel=1e-5)
    thrice = HeldOutLoss(network, part, hyperparameters=hyperparameters(), draws=3, seed=4)
    assert thrice(invert) == pytest.approx(loss_under(invert), rel=1e-5)
    monkeypatch.setattr("mvc.policies.search.PIXELS", 64 * 5)
    blocks = HeldOutLoss(network, part, hyperparameters=hyperparameters(), draws=3, seed=4)
    assert len(blocks.blocks) == 15
    assert blocks(invert) == pytest.approx(loss_under(invert), rel=1e-5)


def test_search_does_better_than_chance():
    """Where weak operations cost least, TPE finds weaker ones than as many random policies have."""

    def loss_under(subs):
        return sum(level for sub in subs for _, _, level in sub)

    best = try_policies(loss_under, size(trials=60, kept=5), seed=0)
    losses = [loss for loss, _ in best]
    assert losses == sorted(losses) and len(best) == 5
    assert all(loss == loss_under(subs) for loss, subs in best)
    assert all(len(subs) == 2 and {len(sub) for sub in subs} == {2} for _, subs in best)
    drawn = draw_policies([2] * 120, generator=generator())
    by_chance = sorted(map(loss_under, zip(drawn[::2], drawn[1::2], strict=True)))
    assert np.mean(losses) < 0.7 * np.mean(by_chance[:5])
    assert best == try_policies(loss_under, size(trials=60, kept=5), seed=0)
    assert best != try_policies(loss_under, size(trials=60, kept=5), seed=1)


def test_search_merges_folds_and_rounds(capsys):
    settings = {"model": "wrn-10-1", "hyperparameters": hyperparameters(), "device": CPU}
    found, losses = search(toy(), size=size(rounds=2), root=0, **settings)
    assert len(found) == 2 * 2 * 2 * 2  # folds, rounds, kept, sub-policies
    assert [(entry["fold"], entry["round"]) for entry in losses] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert all(entry["best"] <= entry["kept"] for entry in losses)
    assert losses[0]["without"] == losses[1]["without"]
    assert capsys.readouterr().out.count("4 of 4 trials") == 4
    again = search(toy(), size=size(rounds=2), root=0, **settings)
    assert again == (found, losses)
    assert search(toy(), size=size(rounds=2), root=1, **settings)[0] != found


# Script


def stage(folder, own=None, **changes):
    import policies as script

    folder.mkdir(exist_ok=True)
    part = toy()
    table = image_tables.build_table(
        data=pixels.encode(part.images, grayscale=False),
        labels=part.labels.tolist(),
        class_names=[part.class_names[k] for k in part.labels.tolist()],
        image_ids=[f"train/{i}" for i in range(24)],
    )
    image_tables.write(table, folder / "train.parquet")
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
            input=SimpleNamespace(train=folder / "train.parquet", own=own or []),
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
