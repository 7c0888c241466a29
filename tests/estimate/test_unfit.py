"""Networks that take no images of their size are found before anything is generated."""

import copy

import pytest
import yaml
from mvc.estimate.unfit import list_unfit_networks
from project_tree import REPO

CONFIG = yaml.safe_load((REPO / "config/config.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("resolution, fits", [(28, False), (32, True), (None, True)])
def test_networks_that_take_no_images_of_the_size_are_named(resolution, fits):
    config = copy.deepcopy(CONFIG)
    config["classifiers"] |= {"models": {"mine": {"network": "test_vit"}}, "resolution": resolution}
    dataset = next(iter(config["datasets"]))
    lines = list(list_unfit_networks(config, [(dataset, "mine", "ra"), (dataset, "mine", "aa")]))
    assert (not lines) == fits
    if lines:
        (line,) = lines
        assert line.startswith("classifiers.models.mine: test_vit takes no images of 28 x 28 pixel")
        assert "divisible by patch size" in line and "classifiers.resolution" in line
