"""Quality of synthetic sets: every measure by hand, at its limits, and on planted faults."""

import json
import math

import numpy as np
import pyarrow as pa
import pytest
import torch
from mvc.core import image_tables
from mvc.core.decoding import encode_png
from mvc.models import clip
from mvc.quality import measures, metrics, oracle
from mvc.quality import table as quality_table
from scipy.linalg import sqrtm
from torch import nn


def rng(seed=0):
    return np.random.default_rng(seed)


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


# Fréchet distance


def test_frechet_by_hand():
    """One dimension: (difference of means)² + (difference of deviations)²."""
    a = np.array([[-1.0], [1.0]])
    assert metrics.compute_frechet(a, a + 3) == pytest.approx(9)
    assert metrics.compute_frechet(a, 3 * a) == pytest.approx((2 * math.sqrt(2)) ** 2)
    assert metrics.compute_frechet(a, 3 * a + 3) == pytest.approx(9 + 8)


@pytest.mark.parametrize("n", [200, 5])
def test_frechet_of_a_set_with_itself_is_zero_even_where_it_has_no_full_rank(n):
    a = rng().normal(size=(n, 16)).astype(np.float32)
    assert metrics.compute_frechet(a, a) < 1e-9
    assert metrics.compute_frechet(a, a[::-1].copy()) < 1e-9


def test_frechet_equals_the_textbook_formula():
    a, b = rng().normal(size=(60, 5)), rng(1).normal(size=(80, 5)) @ rng(2).normal(size=(5, 5)) + 1
    cov = [np.cov(x, rowvar=False) for x in (a, b)]
    shift = ((a.mean(0) - b.mean(0)) ** 2).sum()
    expected = shift + np.trace(cov[0] + cov[1] - 2 * sqrtm(cov[0] @ cov[1]).real)
    assert metrics.compute_frechet(a, b) == pytest.approx(expected, rel=1e-8)
    assert metrics.compute_frechet(b, a) == pytest.approx(expected, rel=1e-8)
    with pytest.raises(ValueError, match="1 and 60"):
        metrics.compute_frechet(a[:1], a)


# precision and recall


def test_precision_and_recall_by_hand():
    """k = 1. Real balls 1, 1, 1, 8: they hold 0.5, 1.5, 5 and not 30. Synthetic balls 1, 1, 3.5,
    25: they hold all real points."""
    real, synthetic = np.array([[0.0], [1], [2], [10]]), np.array([[0.5], [1.5], [5], [30]])
    assert metrics.compute_precision_recall(real, synthetic, k=1) == (0.75, 1.0)


def test_precision_and_recall_at_their_limits():
    real = rng().normal(size=(60, 4))
    assert metrics.compute_precision_recall(real, real, k=3) == (1, 1)
    assert metrics.compute_precision_recall(real, real + 100, k=3) == (0, 0)
    collapsed = real[:1] + 1e-6 * rng(1).normal(size=(60, 4))
    precision, recall = metrics.compute_precision_recall(real, collapsed, k=3)
    assert precision == 1 and recall <= 1 / 60
    half = np.concatenate([real[:30], real[30:] + 100])
    assert metrics.compute_precision_recall(real, half, k=3)[0] == 0.5


@pytest.mark.parametrize("k", [0, 4])
def test_more_neighbours_than_images_is_refused(k):
    with pytest.raises(ValueError, match=f"quality.k = {k}"):
        metrics.compute_precision_recall(np.zeros((9, 2)), np.zeros((4, 2)), k=k)


# diversity


def test_vendi_counts_different_images():
    assert metrics.compute_vendi(np.eye(7)) == pytest.approx(7)
    assert metrics.compute_vendi(np.ones((7, 3)) / math.sqrt(3)) == pytest.approx(1)
    assert metrics.compute_vendi(np.eye(2)[[0, 0, 1, 1]]) == pytest.approx(2)
    shares = np.array([0.75, 0.25])
    assert metrics.compute_vendi(np.eye(2)[[0, 0, 0, 1]]) == pytest.approx(
        math.exp(-(shares * np.log(shares)).sum())
    )


def test_spread_by_hand():
    assert metrics.compute_spread(np.array([[0.0], [1], [3]])) == pytest.approx((1 + 3 + 2) / 3)


def test_diversity_is_within_classes_and_relative_to_as_many_real_images():
    real, labels = np.tile(np.eye(4), (2, 1)), np.repeat([0, 1], 4)
    same = metrics.compute_diversity(real, labels, real, labels)
    assert same["vendi"] == pytest.approx(4) and same["vendi_relative"] == pytest.approx(1)
    assert same["spread_relative"] == pytest.approx(1)
    # one picture a class: two pictures in all, and no diversity in any class
    collapsed = np.eye(4)[labels]
    low = metrics.compute_diversity(collapsed, labels, real, labels)
    assert low["vendi"] == pytest.approx(1) and low["vendi_relative"] == pytest.approx(0.25)
    assert low["spread_relative"] == 0
    # ten times as many images are not more diverse for that
    many = metrics.compute_diversity(np.tile(real, (10, 1)), np.tile(labels, 10), real, labels)
    assert many["vendi_relative"] == pytest.approx(1)


def test_diversity_of_single_images_is_unknown():
    one = metrics.compute_diversity(np.eye(2), np.array([0, 1]), np.eye(2), np.array([0, 1]))
    assert all(math.isnan(value) for value in one.values())


# copies


def test_nearest_by_hand():
    """Class 0 at 0, 2, 6: own distances 2, 2, 4, median 2. Class 1 at 100, 110: own 10, 10."""
    training, labels = np.array([[0.0], [2], [6], [100], [110]]), np.array([0, 0, 0, 1, 1])
    images = np.array([[1.0], [6], [105], [2]])
    relative, own = metrics.measure_nearest(images, np.array([0, 0, 1, 1]), training, labels)
    assert relative.tolist() == [0.5, 0, 0.5, 9.8]  # the last is near an image of another class
    assert sorted(own.tolist()) == [1, 1, 1, 1, 2]


def test_nearest_where_a_class_has_one_training_image_or_none():
    training, labels = np.array([[0.0], [4], [50]]), np.array([0, 0, 1])
    relative, own = metrics.measure_nearest(
        np.array([[51.0], [7]]), np.array([1, 2]), training, labels
    )
    assert relative[0] == 0.25 and math.isnan(relative[1]) and own.tolist() == [1, 1]
    alone, own = metrics.measure_nearest(training[2:], labels[2:], training[2:], labels[2:])
    assert math.isnan(alone[0]) and math.isnan(metrics.compute_near_share(alone, own))


def test_planted_copies_are_found():
    training, labels = rng().normal(size=(200, 8)), np.repeat([0, 1], 100)
    fresh = rng(1).normal(size=(100, 8))
    images = np.concatenate([fresh, training[:40] + 1e-3])
    own_labels = np.concatenate([np.repeat([0, 1], 50), labels[:40]])
    clean = metrics.compute_near_share(
        *metrics.measure_nearest(fresh, own_labels[:100], training, labels)
    )
    planted = metrics.compute_near_share(
        *metrics.measure_nearest(images, own_labels, training, labels)
    )
    assert clean <= 0.05 and planted == pytest.approx((40 + 100 * clean) / 140)
    mislabelled = metrics.measure_nearest(training[:40] + 1e-3, 1 - labels[:40], training, labels)
    assert metrics.compute_near_share(*mislabelled) <= 0.1


def test_only_some_training_images_of_a_large_class_are_queried(monkeypatch):
    monkeypatch.setattr(metrics, "QUERIES", 4)
    training = np.arange(10.0)[:, None] ** 2
    _, own = metrics.measure_nearest(training[:1], np.zeros(1, int), training, np.zeros(10, int))
    assert len(own) == 4  # rows 0, 3, 6, 9: distances 1, 5, 11, 17, each among all ten
    assert own.tolist() == [v / 8 for v in (1, 5, 11, 17)]


def test_exact_copies_and_repeats():
    training = torch.arange(4 * 3 * 2 * 2, dtype=torch.uint8).view(4, 3, 2, 2)
    fresh = 200 + torch.arange(2 * 12, dtype=torch.uint8).view(2, 3, 2, 2)
    images = torch.cat([training[:1], fresh, fresh[:1], training[2:3]])
    assert measures.count_copies(images, training) == (2, 1)
    assert measures.count_copies(fresh, training) == (0, 0)


# sets


def test_a_sample_keeps_the_shares_of_classes_in_every_first_part():
    labels = np.array([0] * 60 + [1] * 30 + [2] * 10)
    rows = measures.sample(labels, None, seed=3)
    assert sorted(rows) == list(range(100))
    for count in (10, 20, 50):
        assert np.bincount(labels[rows[:count]]).tolist() == [count * s // 10 for s in (6, 3, 1)]
        assert (measures.sample(labels, count, seed=3) == rows[:count]).all()
    assert (measures.sample(labels, None, seed=4) != rows).any()
    assert list(rows[:3]) != sorted(rows[:3]) or list(rows[3:6]) != sorted(rows[3:6])


def images(n=60, d=6, seed=0, classes=2):
    r = rng(seed)
    pixels = torch.from_numpy(r.integers(0, 256, (n, 3, 4, 4), np.uint8))
    return measures.Images(pixels, unit(r.normal(size=(n, d))), np.arange(n) % classes)


def test_measure_knows_a_set_that_is_all_copies():
    real = images()
    same = measures.measure(real, reference=real, training=real, n=60, k=3)
    assert same["frechet"] < 1e-9 and same["precision"] == same["recall"] == 1
    assert same["near_features"] == same["near_pixels"] == 100
    assert same["exact_copies"] == 60 and same["repeats"] == 0 and same["note"] == ""
    assert same["nearest_pixels"] == 0 and same["vendi_relative"] == pytest.approx(1)


def test_measure_says_none_and_why_where_images_are_too_few():
    real = images()
    few = measures.measure(images(3, seed=1), reference=real, training=real, n=3, k=3)
    assert few["precision"] is None and few["recall"] is None
    assert "3 images for 6 features" in few["note"]
    json.dumps(few, allow_nan=False)


def table(n, name, label=0, shade=7, size=6):
    data = [encode_png(np.full((size, size, 3), shade + i, np.uint8)) for i in range(n)]
    ids = [f"{name}/{i}" for i in range(n)]
    return image_tables.build_table(
        data=data, labels=[label] * n, class_names=["a"] * n, image_ids=ids, suffix=".png"
    )


def test_yardstick_is_extra_else_validation_else_none():
    train, validation, extra = table(2, "t"), table(3, "v"), table(4, "e")
    reference, held_out, name = measures.assign_roles(train, validation, extra)
    assert (reference.num_rows, held_out.num_rows, name) == (5, 4, "extra")
    reference, held_out, name = measures.assign_roles(train, validation, extra.slice(0, 0))
    assert (reference.num_rows, held_out.num_rows, name) == (2, 3, "validation")
    assert measures.assign_roles(train, validation.slice(0, 0), extra.slice(0, 0))[1].num_rows == 0


class Tower(nn.Module):
    """Stands for open_clip's model: its embedding is the mean of each channel."""

    def __init__(self):
        super().__init__()
        self.visual = nn.Module()
        self.visual.image_size, self.visual.image_mean = (4, 4), (0.1, 0.2, 0.3)
        self.visual.image_std = (0.5, 0.5, 0.25)
        self.weight = nn.Parameter(torch.zeros(1))

    def encode_image(self, x, normalize=False):
        return nn.functional.normalize(x.mean((2, 3)), dim=1) if normalize else x.mean((2, 3))


@pytest.mark.bitwise
def test_features_by_hand_and_whatever_the_batch():
    pixels = torch.randint(0, 256, (5, 3, 4, 4), generator=torch.Generator().manual_seed(0))
    pixels = pixels.to(torch.uint8)
    features, same = (clip.embed_images(pixels, Tower(), batch_size=size) for size in (2, 5))
    means = pixels.double().mean((2, 3)).numpy() / 255
    expected = unit((means - [0.1, 0.2, 0.3]) / [0.5, 0.5, 0.25])
    assert np.allclose(features, expected, atol=1e-5)
    assert torch.equal(features, same)


def test_images_are_opened_at_two_sizes():
    opened = measures.open_images(table(3, "t", label=1), Tower(), size=8, batch_size=2)
    assert opened.pixels.shape == (3, 3, 8, 8) and opened.features.shape == (3, 3)
    assert opened.labels.tolist() == [1, 1, 1]
    with pytest.raises(ValueError, match="no images"):
        measures.open_images(table(0, "t"), Tower(), size=8, batch_size=2)


# oracle


def stripes(n=64, size=12, seed=0):
    """Class 0: dark above, bright below; class 1: the reverse. Noise on both."""
    r = rng(seed)
    labels = np.arange(n) % 2
    ramp = np.linspace(-60, 60, size)[:, None] * (1 - 2 * labels)[:, None, None]
    pixels = 128 + ramp[:, None] + r.normal(0, 20, (n, 3, size, size))
    return torch.from_numpy(pixels.clip(0, 255).astype(np.uint8)), torch.from_numpy(labels)


SETTINGS = {"n_classes": 2, "steps": 25, "batch_size": 16, "learning_rate": 5e-3}


def test_train_learns_and_load_restores_what_save_wrote(tmp_path):
    pixels, labels = stripes()
    trained = oracle.train(pixels, labels, **SETTINGS, weight_decay=5e-4, seed=0)
    fresh, truth = stripes(seed=1)
    answers = oracle.predict(trained, fresh)
    assert (answers == truth).double().mean() > 0.95
    oracle.save(trained, tmp_path / "oracle.safetensors", {"split": "train", "names": "Ärmel"})
    again, about = oracle.load(tmp_path / "oracle.safetensors")
    assert about == {"split": "train", "names": "Ärmel"}
    assert torch.equal(oracle.predict(again, fresh, batch_size=7), answers)


def test_train_depends_on_its_seed_alone():
    pixels, labels = stripes()
    settings = {**SETTINGS, "steps": 3, "weight_decay": 0.0}
    torch.manual_seed(1)
    first = oracle.train(pixels, labels, **settings, seed=5).head.weight
    torch.manual_seed(2)
    assert torch.equal(oracle.train(pixels, labels, **settings, seed=5).head.weight, first)
    assert not torch.equal(oracle.train(pixels, labels, **settings, seed=6).head.weight, first)


def test_train_refuses_what_it_cannot_learn():
    pixels, labels = stripes(4)
    for p, y, says in (
        (pixels[:0], labels[:0], "no real images"),
        (pixels, labels + 1, "1..2; must be in 0..1"),
    ):
        with pytest.raises(ValueError, match=says):
            oracle.train(p, y, **SETTINGS, weight_decay=0.0, seed=0)


def test_train_refuses_weights_that_are_not_finite():
    pixels = torch.randint(0, 256, (8, 3, 16, 16), dtype=torch.uint8)
    settings = SETTINGS | {"learning_rate": 1e38}
    with pytest.raises(ValueError, match="oracle, after its last step: .*oracle.learning_rate"):
        oracle.train(pixels, torch.arange(8) % 2, **settings, weight_decay=0.0, seed=0)


def test_agreement_by_hand():
    names = {0: "a", 1: "b", 2: "never made"}
    result = oracle.measure_agreement(
        torch.tensor([0, 1, 1, 0, 1]), np.array([0, 0, 0, 0, 1]), names
    )
    assert result == {"agreement": 60.0, "per_class": {"a": 50.0, "b": 100.0}}


def test_check_classes_refuses_other_names():
    names = image_tables.read_class_names(
        pa.table({"label": [1, 0, 1], "class_name": ["Hose", "Tasche", "Hose"]})
    )
    assert list(names.items()) == [(0, "Tasche"), (1, "Hose")]
    oracle.check_classes({**names, 2: "more"}, names)
    for wrong in ({0: "Tasche"}, {0: "Hose", 1: "Tasche"}):
        with pytest.raises(ValueError, match="oracle split"):
            oracle.check_classes(wrong, names)


# table


def result(generator, agreement, *, split="oracle", real=True, dataset="d"):
    measured = {
        **measures.measure(images(), reference=images(seed=1), training=images(seed=2), n=60, k=3),
        "agreement": agreement,
        "per_class": {"a|b": agreement},
    }
    return {
        "dataset": dataset,
        "generator": generator,
        "oracle": {"split": split, "n_train": 10000},
        "real_split": "extra",
        "synthetic": measured,
        "real": {**measured, "agreement": 91.0} if real else None,
    }


def test_quality_table_has_the_yardstick_once_and_first():
    results = [
        result("finetuned", 80.0),
        result("pretrained", 20.0),
        result("finetuned", 1.0, dataset="e"),
    ]
    rows = quality_table.list_rows(results)
    assert rows["dataset"].tolist() == ["d"] * 3 + ["e"] * 2
    assert rows["set"].tolist() == ["real", "finetuned", "pretrained", "real", "finetuned"]
    assert rows["agreement"].tolist() == [91.0, 80.0, 20.0, 91.0, 1.0]
    text = quality_table.format_quality(results)
    assert "right on 91.0 %" in text and "a\\|b" in text and "10,000 real images" in text
    with pytest.raises(ValueError, match="no measured sets"):
        quality_table.list_rows([])


def test_format_quality_reports_a_missing_oracle_split_and_yardstick():
    alone = result("finetuned", 80.0, split="train", real=False)
    alone["synthetic"]["precision"] = None
    text = quality_table.format_quality([alone])
    assert "no oracle split" in text and "none left" in text and "nan" not in text
