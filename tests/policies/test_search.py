"""Fast AutoAugment: folds, the loss that scores policies, the search."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mvc.policies.files import draw_policies
from mvc.policies.search import HeldOutLoss, Search, search, select_rows, split_folds, try_policies
from mvc.training.augment import apply_policy, normalise
from mvc.training.autoaugment import build_policy
from mvc.training.fit import fit
from toy import CPU, generator, hyperparameters, toy

HYPERPARAMETERS = hyperparameters(steps=20, pad=0)
PUBLISHED = ((("Rotate", 0.7, 2.0), ("Cutout", 0.2, 5)), (("Invert", 0.0, 30),))
BLACK = torch.zeros(3, dtype=torch.uint8)


def size(**changes):
    plain = {"folds": 2, "rounds": 1, "trials": 4, "kept": 2, "sub_policies": 2, "operations": 2}
    return Search(**{**plain, "draws": 1, **changes})


def fitted():
    return fit(
        toy(), None, model="wrn-10-1", hyperparameters=HYPERPARAMETERS, root=0, seed=0, device=CPU
    )


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
    with pytest.raises(ValueError, match="policies.kept = 5; must be <= policies.trials = 4"):
        size(kept=5)


def test_loss_is_the_mean_cross_entropy(monkeypatch):
    part, network = toy(seed=3), fitted()
    loss_under = HeldOutLoss(network, part, hyperparameters=HYPERPARAMETERS, draws=1, seed=4)

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
    thrice = HeldOutLoss(network, part, hyperparameters=HYPERPARAMETERS, draws=3, seed=4)
    assert thrice(invert) == pytest.approx(loss_under(invert), rel=1e-5)
    monkeypatch.setattr("mvc.policies.search.PIXELS", 64 * 5)
    blocks = HeldOutLoss(network, part, hyperparameters=HYPERPARAMETERS, draws=3, seed=4)
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
    settings = {"model": "wrn-10-1", "hyperparameters": HYPERPARAMETERS, "device": CPU}
    found, losses = search(toy(), size=size(rounds=2), root=0, **settings)
    assert len(found) == 2 * 2 * 2 * 2  # folds, rounds, kept, sub-policies
    assert [(entry["fold"], entry["round"]) for entry in losses] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert all(entry["best"] <= entry["kept"] for entry in losses)
    assert losses[0]["without"] == losses[1]["without"]
    assert capsys.readouterr().out.count("4 of 4 trials") == 4
    again = search(toy(), size=size(rounds=2), root=0, **settings)
    assert again == (found, losses)
    assert search(toy(), size=size(rounds=2), root=1, **settings)[0] != found
