"""One run: training and measurement."""

import numpy as np
import pytest
import torch
from mvc.classifiers.run import run
from mvc.training import strategies
from toy import CPU, NAMES, hyperparameters, toy


@pytest.mark.parametrize("strategy", strategies.STRATEGIES)
def test_run_learns_and_reports(strategy, capsys):
    seen = []

    def evaluation():
        seen.append(capsys.readouterr().out)
        return toy(30, seed=9, prefix="test")

    extra = toy(30, seed=2, prefix="extra")
    found, _ = run(
        toy(),
        extra,
        evaluation,
        model="wrn-10-1",
        root=0,
        seed=0,
        device=CPU,
        hyperparameters=hyperparameters(strategy=strategy, steps=40),
    )
    assert len(seen) == 1 and "40 of 40 steps" in seen[0]  # read after the last step
    assert found["accuracy"] > 80 and found["train_accuracy"] > 80
    assert set(found["per_class"]) == {"boot", "bag", "ankle boot"}
    assert np.mean(list(found["per_class"].values())) == pytest.approx(found["accuracy"], abs=1e-3)
    counts = {"n_train": 24, "n_extra": 30, "n_test": 30, "steps": 40}
    assert {k: found[k] for k in counts} == counts


SUB_POLICIES = ((("Rotate", 0.7, 2.0), ("Cutout", 0.2, 5.0)), (("Invert", 0.1, 0.0),))


@pytest.mark.parametrize(
    "changes",
    [
        {"augmentation": "aa"},
        {"augmentation": "aa", "aa": "imagenet"},
        {"augmentation": "ra", "ra": {"n": 2, "m": 9}, "fill": "mean"},
        {"augmentation": "faa", "sub_policies": SUB_POLICIES},
        {"augmentation": "random", "sub_policies": SUB_POLICIES},
        {"strategy": "rsp", "rsp": {"p": 0.8, "mode": "append"}},
        {"strategy": "two_phase", "phase2": {"share": 0.5, "learning_rate_scale": 0.1}},
        {"optimizer": "adam", "learning_rate": 0.01, "weight_decay": 0.0},
    ],
    ids=lambda changes: " ".join(map(str, changes.values()))[:30],
)
def test_every_augmentation_and_strategy_runs(changes):
    found, _ = run(
        toy(),
        toy(9, seed=5),
        lambda: toy(30, seed=9, prefix="test"),
        model="wrn-10-1",
        root=0,
        seed=0,
        device=CPU,
        hyperparameters=hyperparameters(**{"strategy": "combined", "steps": 30, **changes}),
    )
    assert found["steps"] == 30 and found["train_accuracy"] > 60


@pytest.mark.parametrize("model", ["test_resnet", "test_efficientnet", "test_vit"])
def test_networks_of_timm_learn(model):
    found, _ = run(
        toy(size=32),
        None,
        lambda: toy(12, seed=9, prefix="test", size=32),
        model=model,
        root=0,
        seed=0,
        device=CPU,
        hyperparameters=hyperparameters(
            optimizer="adam", learning_rate=0.002, weight_decay=0, steps=25
        ),
    )
    assert found["train_accuracy"] > 60


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_run_on_gpu():
    found, _ = run(
        toy(),
        toy(9, seed=5),
        lambda: toy(30, seed=9, prefix="test"),
        model="wrn-10-1",
        root=0,
        seed=0,
        device=torch.device("cuda"),
        hyperparameters=hyperparameters(augmentation="aa", strategy="rsp", steps=40),
    )
    assert found["train_accuracy"] > 80


def test_run_on_a_set_smaller_than_a_batch():
    found, _ = run(
        toy(3),
        None,
        lambda: toy(3, prefix="test"),
        model="wrn-10-1",
        root=0,
        seed=0,
        device=CPU,
        hyperparameters=hyperparameters(batch_size=16, steps=2),
    )
    assert found["steps"] == 2 and found["n_train"] == 3


@pytest.mark.parametrize(
    "other, message",
    [
        (toy(8, names={**NAMES, 3: "sock"}, prefix="test"), "evaluation images.*'sock' .3."),
        (toy(8, names={**NAMES, 1: "shoe"}, prefix="test"), "without training images: 'shoe'"),
        (toy(8, size=9, prefix="test"), "9 x 9 pixels, training images 8 x 8.*resolution"),
        (toy(8, prefix="train"), "8 evaluation images are trained on, the first 'train/0'"),
    ],
)
def test_run_refuses_a_bad_evaluation(other, message):
    with pytest.raises(ValueError, match=message):
        run(
            toy(),
            None,
            lambda: other,
            model="wrn-10-1",
            hyperparameters=hyperparameters(steps=1),
            root=0,
            seed=0,
            device=CPU,
        )


def test_run_without_a_class_in_the_evaluation():
    other = toy(8, names={0: "boot"}, prefix="test")
    found, _ = run(
        toy(),
        None,
        lambda: other,
        model="wrn-10-1",
        hyperparameters=hyperparameters(steps=1),
        root=0,
        seed=0,
        device=CPU,
    )
    assert list(found["per_class"]) == ["boot"]


def test_run_refuses_to_measure_on_no_image():
    settings = {"model": "wrn-10-1", "root": 0, "seed": 0, "device": CPU}
    with pytest.raises(ValueError, match="no image to evaluate on; set classifiers.split"):
        run(toy(), None, lambda: toy(0), hyperparameters=hyperparameters(steps=2), **settings)
