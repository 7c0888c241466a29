"""Networks are known by timm's own files, without an import of timm."""

import copy

import pytest
import timm
import yaml
from mvc.config.networks import list_network_faults
from project_tree import REPO

CONFIG = yaml.safe_load((REPO / "config/config.yaml").read_text(encoding="utf-8"))


def find_faults(*names):
    config = copy.deepcopy(CONFIG)
    config["classifiers"]["models"] = {name: {} for name in names} | {"wrn-10-1": {}}
    return list(list_network_faults(config))


def test_every_network_of_timm_is_known():
    old = ("tv_resnet34", "efficientnet_b2a")
    models = timm.list_models(exclude_filters="mvc_*")  # registered by another test's import
    assert find_faults(*models, *timm.list_pretrained(), *old) == []


@pytest.mark.parametrize(
    "name, near",
    [
        ("resnt50", "did you mean resnet50"),
        ("ResNet50", "did you mean resnet50"),
        ("efficientnet-b0", "did you mean efficientnet_b0"),
        ("vit_base_patch16_24", "did you mean vit_base_patch16_224"),
        ("resnet50.a1_in22k", "has the tags a1_in1k"),
        ("zzzzzz", "timm.list_models()"),
    ],
)
def test_an_unknown_network_is_named_with_near_ones(name, near):
    (line,) = find_faults("resnet18", name)
    assert line.startswith(f"classifiers.models.{name}: ") and near in line


def test_networks_by_another_name_and_of_the_policy_search_are_checked():
    config = copy.deepcopy(CONFIG)
    config["classifiers"]["models"]["long"] = {"network": "resnt18"}
    config["policies"]["model"] = "resnt34"
    lines = list(list_network_faults(config))
    assert any(line.startswith("classifiers.models.long: 'resnt18'") for line in lines)
    assert any(line.startswith("policies.model: 'resnt34'") for line in lines)
    config["policies"]["model"] = "long"
    config["classifiers"]["models"]["long"] = {"network": "resnet18"}
    assert not list(list_network_faults(config))


def test_nothing_is_said_where_timm_is_not_installed(monkeypatch):
    from mvc.config import networks

    networks._list_timm.cache_clear()
    monkeypatch.setattr(networks, "find_package", lambda name: None)
    assert find_faults("resnt50") == []
    networks._list_timm.cache_clear()
