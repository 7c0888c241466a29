"""Hyperparameters of an arm: its augmentation."""

import pytest
import torch
from mvc.training.hyperparameters import build_augmentation
from toy import generator, hyperparameters, toy


@pytest.mark.parametrize("name", ["faa", "random"])
def test_images_go_through_the_sub_policies(name):
    """Factor 0.1 four times leaves black."""
    black = ((("Brightness", 1.0, 0.0),) * 4,)
    mean, std = torch.tensor([10.0, 20.0, 30.0]), torch.full((3,), 2.0)
    chosen = hyperparameters(augmentation=name, sub_policies=black, pad=0)
    out = build_augmentation(chosen, mean, std, (8, 8), generator())(toy().images)
    assert torch.equal(out, torch.tensor([-5.0, -10.0, -15.0]).view(3, 1, 1).expand_as(out))


def test_unknown_augmentation_is_refused():
    with pytest.raises(ValueError, match="augmentation = cut; must be one of default, aa, ra, faa"):
        hyperparameters(augmentation="cut").build_policy((8, 8))
    with pytest.raises(ValueError, match="augmentation = faa, .*sub-policies"):
        hyperparameters(augmentation="faa").build_policy((8, 8))
