"""Strategies, training and measurement of classifiers, and the stage's script."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mvc.classifiers.extra_images import read_extra, select_per_class
from mvc.classifiers.run import Hyperparameters, run
from mvc.core import image_tables, pixels
from mvc.core.image_set import Labelled, load_labelled, match_grayscale
from mvc.core.leakage import check_sources
from mvc.training import strategies
from mvc.training.fit import fit
from mvc.training.hyperparameters import build_augmentation
from mvc.training.loop import (
    OPTIMIZERS,
    augment_batches,
    build_optimizer,
    measure_statistics,
    move_to_device,
    predict,
    train,
)
from mvc.training.strategies import (
    Length,
    Phase,
    insert_extra,
    lengthen,
    plan_phases,
    shuffle_batches,
)
from mvc.training.wide_resnet import build

CPU = torch.device("cpu")
NAMES = {0: "boot", 1: "bag", 2: "ankle boot"}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def toy(n=24, seed=0, names=NAMES, prefix="train", size=8):
    """Classes that differ in brightness: learnt in a few steps."""
    rng = np.random.default_rng(seed)
    labels = torch.arange(n) % len(names)
    noise = torch.from_numpy(rng.integers(0, 40, (n, 3, size, size)))
    images = (labels[:, None, None, None] * 80 + noise).byte()
    return Labelled(images, labels, dict(names), frozenset(f"{prefix}/{i}" for i in range(n)))


def hyperparameters(**changes):
    plain = {
        "augmentation": "default",
        "batch_size": 8,
        "learning_rate": 0.05,
        "weight_decay": 5e-4,
    }
    return Hyperparameters(**{**plain, "max_grad_norm": 5.0, "steps": 6, "pad": 1, **changes})


def plan(n_real=10, extra=(0, 1, 1, 2), **changes):
    labels = torch.arange(n_real) % 3
    defaults = {"length": Length(4, steps=20), "learning_rate": 0.1, "strategy": "two_phase"}
    streams = {"order": generator(1), "choice": generator(2)}
    extra = torch.tensor(extra, dtype=torch.int64)
    return plan_phases(labels, extra, **{**defaults, **streams, **changes})


def rows(phase):
    return torch.cat(list(phase.batches))


# Batches


@pytest.mark.parametrize("n, draws, size", [(10, 35, 4), (3, 20, 8), (1, 5, 2), (8, 8, 8)])
def test_shuffled_sees_every_image_once_a_pass(n, draws, size):
    found = list(shuffle_batches(n, draws, size, generator=generator()))
    assert [len(b) for b in found] == [size] * (draws // size) + [draws % size] * bool(draws % size)
    order = torch.cat(found)
    for start in range(0, draws - n + 1, n):
        assert order[start : start + n].sort().values.tolist() == list(range(n))


@pytest.mark.parametrize("strategy", strategies.STRATEGIES)
def test_equal_updates_for_every_arm(strategy):
    """The fair comparison: an arm with extra images gets no more steps than one without."""
    alone = plan(extra=(), strategy=strategy)
    mixed = plan(strategy=strategy)
    assert sum(p.steps for p in alone) == sum(p.steps for p in mixed) == 20
    assert sum(len(list(p.batches)) for p in mixed) == 20


def test_two_phase_is_all_images_then_real_ones():
    first, second = plan(share=0.2, learning_rate_scale=0.1)
    assert (first.steps, second.steps) == (16, 4)
    assert second.learning_rate == pytest.approx(0.01)
    assert set(rows(first).tolist()) == set(range(14))
    assert rows(second).max() < 10


def test_epochs_are_the_papers_schedule():
    """Phase 1: all epochs over real and extra images; phase 2: 20 % of the epochs, real alone."""
    first, second = plan(length=Length(4, epochs=10))
    assert len(rows(first)) == 140 and first.steps == 35
    assert len(rows(second)) == 20 and second.steps == 5
    (only,) = plan(extra=(), length=Length(4, epochs=10))
    assert only.steps == 25


def test_combined_is_one_set():
    (only,) = plan(strategy="combined", length=Length(4, epochs=1))
    assert rows(only).sort().values.tolist() == list(range(14))


def test_rsp_keeps_class_and_share():
    labels = torch.tensor([0, 1, 2, 3])
    extra = torch.tensor([1, 0, 1, 2, 1])
    batch = torch.arange(4).repeat(5000)
    (mixed,) = insert_extra(
        iter([batch]), labels, extra, p=0.8, mode="replace", generator=generator()
    )
    assert torch.equal(torch.cat((labels, extra))[mixed], labels[batch])
    taken = (mixed >= 4).double().view(-1, 4).mean(0)
    assert taken[:3].tolist() == pytest.approx([0.8] * 3, abs=0.02) and taken[3] == 0
    ones = torch.bincount(mixed[batch == 1], minlength=9)[[4, 6, 8]] / 5000
    assert ones.tolist() == pytest.approx([0.8 / 3] * 3, abs=0.02)


def test_rsp_appends():
    labels = torch.tensor([0, 1, 2])
    (grown,) = insert_extra(
        iter([torch.arange(3)]),
        labels,
        torch.tensor([0, 1, 2]),
        p=1,
        mode="append",
        generator=generator(),
    )
    assert grown.tolist() == [0, 1, 2, 3, 4, 5]


def test_real_batches_are_paired():
    """Equal seeds: RSP with p = 0 sees what the arm without extra images sees."""
    alone = rows(plan(extra=())[0])
    assert torch.equal(rows(plan(strategy="rsp", p=0)[0]), alone)
    second = rows(plan()[1])
    assert torch.equal(second, alone[: len(second)])


@pytest.mark.parametrize("strategy", strategies.STRATEGIES)
@pytest.mark.parametrize("length", [Length(4, epochs=7), Length(4, steps=20)])
def test_equal_updates_control(strategy, length):
    """Real images alone, exactly as many steps as with extra images, one schedule."""
    extra = [k for k, count in enumerate((6, 5, 5)) for _ in range(count)]  # ceil(1.5 K_y)
    long = lengthen(length, torch.arange(10) % 3, 1.5, strategy=strategy, share=0.3)
    mixed = plan(extra=extra, strategy=strategy, length=length, share=0.3)
    (control,) = plan(extra=(), length=long)
    assert control.steps == sum(phase.steps for phase in mixed) and control.learning_rate == 0.1
    assert len(list(control.batches)) == control.steps
    seen, alone = rows(plan(extra=(), length=long)[0]), rows(plan(extra=(), length=length)[0])
    assert seen.max() < 10 and torch.equal(seen[: len(alone)], alone)
    if length.steps or strategy == "rsp":
        assert len(seen) <= len(alone) + 3  # changes nothing but a full last batch
    else:
        assert len(seen) > 2 * len(alone)


def test_control_of_equal_updates_has_no_extra_images():
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


@pytest.mark.parametrize("n, epochs", [(9, 1), (13, 1), (5, 1), (10, 0.5)])
def test_no_batch_of_one_image(n, epochs):
    """Batch norm at a single position has no statistics of one image."""
    (only,) = plan(n, extra=(), length=Length(4, epochs=epochs))
    sizes = [len(batch) for batch in only.batches]
    assert len(sizes) == only.steps and min(sizes) > 1 and sum(sizes) - n * epochs in (0, 1)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"strategy": "three_phase"}, "must be one of two_phase, rsp, combined"),
        ({"strategy": "rsp", "p": 1.2}, "p = 1.2"),
        ({"strategy": "rsp", "mode": "add"}, "mode = add"),
        ({"share": 1.0}, "share = 1.0"),
    ],
)
def test_bad_strategies_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        [rows(phase) for phase in plan(**changes)]


@pytest.mark.parametrize("given", [{}, {"epochs": 1, "steps": 1}])
def test_length_is_epochs_or_updates(given):
    with pytest.raises(ValueError, match="set one of them"):
        Length(4, **given)


# Training


def train_by_hand(name, inputs, labels, *, learning_rate, weight_decay, max_grad_norm):
    """Softmax regression, one image a step, written from the papers' update rules.

    Nesterov momentum 0.9 or Adam; L2 decay joins the clipped gradient; cosine schedule.
    """
    weight = torch.zeros(2, inputs.shape[1])
    momentum, mean, square = (torch.zeros_like(weight) for _ in range(3))
    for step, (x, label) in enumerate(zip(inputs, labels.tolist(), strict=True)):
        rate = learning_rate * (1 + np.cos(np.pi * step / len(labels))) / 2
        gradient = ((weight @ x).softmax(0) - torch.eye(2)[label])[:, None] * x
        gradient = gradient * min(1, max_grad_norm / float(gradient.norm()))
        gradient = gradient + weight_decay * weight
        if name == "sgd":
            momentum = 0.9 * momentum + gradient
            weight = weight - rate * (gradient + 0.9 * momentum)
        else:
            mean = 0.9 * mean + 0.1 * gradient
            square = 0.999 * square + 0.001 * gradient**2
            spread = (square / (1 - 0.999 ** (step + 1))).sqrt() + 1e-8
            weight = weight - rate * mean / (1 - 0.9 ** (step + 1)) / spread
    return weight


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("max_grad_norm", [0.5, 1e9])
def test_train_equals_the_update_rules(name, max_grad_norm):
    images = torch.randint(1, 9, (6, 3, 1, 1), generator=generator()).byte()
    labels = torch.tensor([0, 1, 1, 0, 1, 0])
    settings = {"weight_decay": 0.1, "max_grad_norm": max_grad_norm}
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3, 2, bias=False))
    torch.nn.init.zeros_(net[1].weight)
    steps = train(
        net,
        images,
        labels,
        [Phase(iter(torch.arange(6).split(1)), 6, 0.05)],
        augment_batch=lambda batch: batch.float(),
        optimizer=name,
        **settings,
    )
    expected = train_by_hand(
        name, images.float().flatten(1), labels, learning_rate=0.05, **settings
    )
    assert steps == 6
    assert torch.allclose(net[1].weight, expected, rtol=1e-4, atol=1e-6)


def test_unknown_optimizer_is_refused():
    with pytest.raises(ValueError, match="classifiers.optimizer = lamb; must be one of sgd, adam"):
        build_optimizer("lamb", build("wrn-10-1", 3), 0.1, weight_decay=0)


def test_augment_batches_keeps_batches_apart(monkeypatch):
    part = toy()
    indices = list(shuffle_batches(24, 50, 8, generator=generator()))
    for block in (1, 8 * 8 * 20, 2**18):
        monkeypatch.setattr("mvc.training.loop.BLOCK", block)
        found = list(
            augment_batches(indices, part.images, part.labels, lambda images: images.float())
        )
        assert [len(inputs) for inputs, _ in found] == [8] * 6 + [2]
        for batch, (inputs, targets) in zip(indices, found, strict=True):
            assert torch.equal(inputs, part.images[batch].float())
            assert torch.equal(targets, part.labels[batch])


def test_batches_are_augmented_on_the_network_s_device():
    """Images may lie elsewhere: only the batch moves."""
    part, devices = toy(), []

    def prepare(images):
        devices.append(images.device.type)
        return images.float()

    batches = iter([torch.arange(8), torch.arange(3)])
    device = torch.device("meta")
    found = list(augment_batches(batches, part.images, part.labels, prepare, device=device))
    assert devices == ["meta"] and [len(i) for i, _ in found] == [8, 3]
    assert {i.device.type for i, _ in found} == {t.device.type for _, t in found} == {"meta"}


def test_many_images_stay_in_main_memory(monkeypatch, capsys):
    part = toy()
    moved = []
    monkeypatch.setattr(torch.Tensor, "to", lambda self, device: moved.append(device) or self)
    for free in (4 * part.images.nbytes - 4, 4 * part.images.nbytes):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, free=free: (free, 0))
        assert move_to_device(part.images, torch.device("cuda")) is part.images
    assert moved == [torch.device("cuda")]  # the second time alone
    assert "stay in main memory" in capsys.readouterr().out


def test_statistics_do_not_depend_on_the_block(monkeypatch):
    images = toy(n=30, size=9).images
    values = images.double().transpose(0, 1).flatten(1)
    for block in (1, 200, 2**22):
        monkeypatch.setattr("mvc.training.loop.PIXELS", block)
        mean, std = measure_statistics(images)
        assert mean.tolist() == pytest.approx(values.mean(1).tolist(), rel=1e-6)
        assert std.tolist() == pytest.approx(values.std(1, correction=0).tolist(), rel=1e-6)


def test_statistics_of_uniform_channel():
    images = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    images[0, 1] = 100
    mean, std = measure_statistics(images)
    assert mean.tolist() == [0, 50, 0] and std.tolist() == [1, 50, 1]


def test_predict_does_not_depend_on_the_batch():
    part, net = toy(), build("wrn-10-1", 3, generator=generator())
    mean, std = measure_statistics(part.images)
    found = [predict(net, part.images, mean=mean, std=std, batch_size=b) for b in (1, 7, 24)]
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])


@pytest.mark.parametrize("strategy", strategies.STRATEGIES)
def test_run_learns_and_reports(strategy, capsys):
    seen = []

    def evaluation():
        seen.append(capsys.readouterr().out)
        return toy(30, seed=9, prefix="test")

    extra = toy(30, seed=2, prefix="extra")
    found = run(
        toy(),
        extra,
        evaluation,
        model="wrn-10-1",
        root=0,
        seed=0,
        device=CPU,
        hyperparameters=hyperparameters(strategy=strategy, steps=40),
    )
    assert len(seen) == 1 and "40 of 40 steps" in seen[0]  # read after the last update
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
    found = run(
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


@pytest.mark.parametrize("name", ["faa", "random"])
def test_images_go_through_the_sub_policies(name):
    """Factor 0.1 four times leaves black."""
    black = ((("Brightness", 1.0, 0.0),) * 4,)
    mean, std = torch.tensor([10.0, 20.0, 30.0]), torch.full((3,), 2.0)
    chosen = hyperparameters(augmentation=name, sub_policies=black, pad=0)
    out = build_augmentation(chosen, mean, std, (8, 8), generator())(toy().images)
    assert torch.equal(out, torch.tensor([-5.0, -10.0, -15.0]).view(3, 1, 1).expand_as(out))


@pytest.mark.parametrize("model", ["test_resnet", "test_efficientnet", "test_vit"])
def test_networks_of_timm_learn(model):
    found = run(
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


def test_weights_bring_their_own_normalisation(tmp_path):
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


def test_control_of_equal_updates_runs():
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


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_run_on_gpu():
    found = run(
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


def test_rerun_is_equal_and_seeds_differ():
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


def test_arms_start_from_the_same_weights():
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


def test_set_smaller_than_a_batch():
    found = run(
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


def test_diverging_loss_names_the_key():
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


def test_unknown_augmentation_is_refused():
    with pytest.raises(ValueError, match="augmentation = cut; must be one of default, aa, ra, faa"):
        hyperparameters(augmentation="cut").build_policy((8, 8))
    with pytest.raises(ValueError, match="augmentation = faa without sub-policies"):
        hyperparameters(augmentation="faa").build_policy((8, 8))


# Classes and splits


@pytest.mark.parametrize(
    "other, message",
    [
        (toy(8, names={**NAMES, 3: "sock"}, prefix="test"), "evaluation images.*'sock' .3."),
        (toy(8, names={**NAMES, 1: "shoe"}, prefix="test"), "without training images: 'shoe'"),
        (toy(8, size=9, prefix="test"), "9 x 9 pixels, training images 8 x 8.*resolution"),
        (toy(8, prefix="train"), "8 evaluation images are trained on, the first 'train/0'"),
    ],
)
def test_bad_evaluation_is_refused(other, message):
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


def test_class_missing_in_evaluation_is_fine():
    other = toy(8, names={0: "boot"}, prefix="test")
    found = run(
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


def test_labels_must_be_counted_from_zero():
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


@pytest.mark.parametrize("source", ["finetuned", "pretrained"])
def test_synthetic_images_come_from_training_images(source):
    """A planted source outside of the training images (here a test image) is refused."""
    train, planted = toy(), toy(5, prefix="test")
    with pytest.raises(ValueError, match=f"5 sources of {source}.*'test/0'"):
        check_sources(train.ids, planted.ids, source)
    check_sources(train.ids, toy(5).ids, source)
    check_sources(train.ids, planted.ids, "real")


# Script


def table(part, prefix, source=None):
    n = len(part.labels)
    columns = {} if source is None else {"source_image_id": [f"{source}/{i % 8}" for i in range(n)]}
    return image_tables.build_table(
        data=pixels.encode(part.images, grayscale=False),
        labels=part.labels.tolist(),
        class_names=[part.class_names[k] for k in part.labels.tolist()],
        image_ids=[f"{prefix}/{i}" for i in range(n)],
        **columns,
    )


def test_labelled_reads_a_table():
    part = toy()
    found = load_labelled(table(part, "train"), size=None)
    assert torch.equal(found.images, part.images) and torch.equal(found.labels, part.labels)
    assert found.class_names == NAMES and found.ids == part.ids
    assert load_labelled(table(part, "x", source="train"), size=4).ids == {
        f"train/{i}" for i in range(8)
    }
    twice = table(part, "train").set_column(2, "class_name", [["boot"] * 23 + ["hat"]])
    with pytest.raises(ValueError, match="is both"):
        load_labelled(twice, size=None)


def test_extra_images_are_read_as_greyscale_where_the_data_set_is():
    grey, colour = toy(), toy(6, prefix="made")
    grey.images[:] = grey.images[:, :1]
    colour.images[:, 0] = 255
    read = match_grayscale(grey, colour).images
    assert torch.equal(read[:, 0], read[:, 1]) and torch.equal(read[:, 0], read[:, 2])
    weighted = (colour.images * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1)
    assert (read[:, 0] - weighted).abs().max() <= 0.5
    assert match_grayscale(toy(), colour) is colour


def test_grey_does_not_depend_on_the_part(monkeypatch):
    grey, colour = toy(), toy(7, prefix="made")
    grey.images[:] = grey.images[:, :1]
    whole = match_grayscale(grey, colour).images
    monkeypatch.setattr("mvc.core.image_set.PART", 2)
    assert torch.equal(match_grayscale(grey, colour).images, whole)


def test_the_first_extra_images_of_each_class(tmp_path):
    train, extra = toy(7), toy(12, seed=3)  # K = 3, 2, 2 of 4 each
    whole = table(extra, "made", source="train")
    found = select_per_class(whole, train, 1.2, select="first")
    ids = found["image_id"].to_pylist()  # ceil(1.2 K) = 4, 3, 3: without the last of 1 and 2
    assert ids == [f"made/{i}" for i in range(12) if i not in (10, 11)]
    assert len(select_per_class(whole, train, 0.5, select="first")) == 2 + 1 + 1
    with pytest.raises(ValueError, match="per_real = 2: class 'boot' has 4 extra images of the 6"):
        select_per_class(whole, train, 2, select="first")
    image_tables.write(whole, tmp_path / "0.parquet")
    settings = {"generator": "finetuned", "size": None}
    part = read_extra(tmp_path / "0.parquet", toy(), per_real=0.5, **settings)
    assert len(part.labels) == 12 and part.ids <= toy().ids
    stranger = toy(12, seed=3, names={**NAMES, 3: "sock"})
    strange = table(stranger, "made", source="train")
    assert 3 in select_per_class(strange, train, 1, select="first")["label"].to_pylist()


def test_image_without_source_is_refused():
    lost = table(toy(3), "x", source="train")
    lost = lost.set_column(
        lost.column_names.index("source_image_id"), "source_image_id", [["a", None, "b"]]
    )
    with pytest.raises(ValueError, match="row 1 has no source_image_id"):
        load_labelled(lost, size=None)


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
            ),
            output=[output],
            log=[folder / "log"],
            threads=1,
            params=SimpleNamespace(cfg=settings),
            wildcards=SimpleNamespace(dataset="toy", model="my-wrn", arm="ra+syn", seed="3"),
        )
    )
    return json.loads(output.read_text())


def test_script_writes_the_record(tmp_path):
    record = stage(tmp_path)
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
    rest = {"accuracy", "per_class", "train_accuracy", "seconds", "settings"}
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


def test_script_of_the_control_of_equal_updates(tmp_path):
    changes = {"extra": None, "steps": None, "epochs": 1, "steps_as_with": 2}
    assert stage(tmp_path, strategy="combined", **changes)["steps"] == 9  # 72 images / 8
    assert stage(tmp_path, strategy="combined", **changes | {"steps_as_with": None})["steps"] == 3
