"""One training: its streams of random numbers, weights and length."""

import pytest
import torch
from mvc.core.image_set import Labelled
from mvc.training.fit import fit
from toy import CPU, generator, hyperparameters, toy


def test_fit_refuses_steps_as_with_for_an_arm_with_extra_images():
    with pytest.raises(ValueError, match="classifiers.steps_as_with = 4; .*null"):
        fit(
            toy(),
            toy(9, seed=5),
            model="wrn-10-1",
            root=0,
            seed=0,
            device=CPU,
            hyperparameters=hyperparameters(steps_as_with=4, strategy="combined"),
        )


def test_fit_normalises_as_weights_expect(tmp_path):
    from mvc.training.networks import build as network
    from safetensors.torch import save_file

    first = network("test_vit", 3, size=(32, 32), generator=generator(7)).net
    save_file(first.state_dict(), tmp_path / "model.safetensors")
    fitted = fit(
        toy(size=32),
        None,
        model="test_vit",
        root=0,
        seed=0,
        device=CPU,
        hyperparameters=hyperparameters(weights=str(tmp_path), learning_rate=0, steps=1),
    )
    assert fitted.mean.tolist() == fitted.std.tolist() == [127.5] * 3
    assert torch.equal(fitted.net.head.weight, first.head.weight)


def test_fit_takes_as_many_steps_as_with_extra_images():
    """Without extra images, as many steps as the arm that has 1.5 for each real one."""
    settings = {"steps": None, "epochs": 3, "strategy": "two_phase"}
    settings["phase2"] = {"share": 0.2, "learning_rate_scale": 0.1}
    extra = toy(36, seed=5)
    counts = {}
    for name, part, changes in (
        ("extra", extra, {}),
        ("alone", None, {}),
        ("control", None, {"steps_as_with": 1.5}),
    ):
        found = fit(
            toy(),
            part,
            model="wrn-10-1",
            root=0,
            seed=0,
            device=CPU,
            hyperparameters=hyperparameters(**settings, **changes),
        )
        counts[name] = found.steps
    assert counts == {"extra": 25, "alone": 9, "control": 25}


def test_fit_is_repeatable_and_seeds_differ():
    def weights(seed, root=0, **changes):
        fitted = fit(
            toy(),
            None,
            model="wrn-10-1",
            root=root,
            seed=seed,
            device=CPU,
            hyperparameters=hyperparameters(
                augmentation="ra", ra={"n": 2, "m": 9}, cutout=4, **changes
            ),
        )
        return torch.cat([p.detach().flatten() for p in fitted.net.parameters()])

    first = weights(0)
    assert torch.equal(first, weights(0))
    assert not torch.equal(first, weights(1))
    assert not torch.equal(first, weights(0, root=1))


def test_fit_starts_arms_from_the_same_weights():
    def start(**changes):
        fitted = fit(
            toy(),
            changes.pop("extra", None),
            model="wrn-10-1",
            root=0,
            seed=3,
            device=CPU,
            hyperparameters=hyperparameters(learning_rate=0, **changes),
        )
        return fitted.net.stem.weight.detach(), fitted.mean

    (weight, mean), (other, other_mean) = (
        start(),
        start(augmentation="aa", extra=toy(9, seed=5), strategy="combined"),
    )
    assert torch.equal(weight, other)
    assert torch.equal(mean, other_mean)  # normalised by the real images in every arm


def test_fit_of_a_diverging_loss_names_the_key():
    with pytest.raises(ValueError, match="lower classifiers.learning_rate"):
        fit(
            toy(),
            None,
            model="wrn-10-1",
            root=0,
            seed=0,
            device=CPU,
            hyperparameters=hyperparameters(learning_rate=1e30, steps=5),
        )


def test_fit_labels_must_be_counted_from_zero():
    gap = toy(names={0: "boot", 1: "bag"})
    gap = Labelled(gap.images, gap.labels * 2, {0: "boot", 2: "bag"})
    with pytest.raises(ValueError, match=r"training labels \[0, 2\]; must be 0, 1, 2"):
        fit(
            gap,
            None,
            model="wrn-10-1",
            hyperparameters=hyperparameters(),
            root=0,
            seed=0,
            device=CPU,
        )
