"""Short ways of writing a configuration."""

import pytest
from mvc.config.expand import expand_config


@pytest.fixture(autouse=True)
def home(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")


@pytest.mark.parametrize(
    "config",
    [
        {"datasets": {"mine": {"path": "~/x"}}},
        {"datasets": {"mine": {"captions": {"file": "~/x"}, "policies": {"file": "~/x"}}}},
        {"datasets": {"mine": {"classifiers": {"models": {"resnet50": {"weights": "~/x"}}}}}},
        {"captions": {"file": "~/x"}, "policies": {"file": "~/x"}},
        {"classifiers": {"weights": "~/x", "arms": {"aa": {"weights": "~/x"}}}},
        {"models": {"captioner": "~/x", "diffusion": "~/x", "clip": "~/x"}},
    ],
)
def test_a_leading_tilde_is_the_home_folder(config):
    text = str(config)
    assert str(expand_config(config)) == text.replace("~/x", "/home/ada/x")
    assert str(config) == text, "what was given stays as it is"


def test_a_tilde_is_expanded_in_what_like_and_subsets_copy():
    config = expand_config({"datasets": {"a": {"path": "~/x", "subsets": 2}, "b": {"like": "a"}}})
    assert {own["path"] for own in config["datasets"].values()} == {"/home/ada/x"}
    assert list(config["datasets"]) == ["a-0", "a-1", "b-0", "b-1"]


def test_the_file_of_an_open_clip_model_may_lie_in_the_home_folder():
    config = expand_config({"models": {"clip": "ViT-B-32/~/clip.safetensors"}})
    assert config["models"]["clip"] == "ViT-B-32//home/ada/clip.safetensors"


@pytest.mark.parametrize(
    "config",
    [
        {"datasets": {"mine": {"path": None}}, "captions": {"prefix": "~/x", "file": None}},
        {"datasets": {"mine": {"path": "photos/~x"}}, "models": {"clip": "ViT-B-32/openai"}},
        {"classifiers": {"weights": "pretrained"}, "datasets": 3, "models": ["~"]},
    ],
)
def test_other_values_stay(config):
    assert expand_config(config) == config
