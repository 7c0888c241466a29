"""What the target `models` lists and fetches."""

import pytest
from huggingface_hub.errors import DryRunError
from mvc.models import inventory
from project_tree import wide_config

CAPTIONED = {"file": None, "missing": "error", "describe": True}


def test_without_the_hub_the_size_is_not_known_and_nothing_is_refused(
    monkeypatch, tmp_path, capsys
):
    def fail(sources):
        raise DryRunError("the repository cannot be accessed")

    monkeypatch.setattr(inventory, "measure_downloads", fail)
    inventory.check_downloads([], tmp_path)
    assert "not known, the hub cannot be reached" in capsys.readouterr().out
    monkeypatch.setattr(inventory, "measure_downloads", lambda sources: {"a": 10**18})
    with pytest.raises(OSError, match="to download"):
        inventory.check_downloads([], tmp_path)


@pytest.mark.parametrize(
    "captions, opened",
    [
        ({}, True),
        ({"describe": False}, False),
        ({"file": "own.csv"}, False),
        ({"file": "own.csv", "missing": "blip2"}, True),
        ({"file": "own.csv", "missing": "blip2", "describe": False}, False),
    ],
)
def test_the_captioner_is_asked_for_where_a_data_set_is_captioned(captions, opened):
    config = wide_config()
    config["captions"] |= CAPTIONED | captions
    models = inventory.choose_models(config)
    assert ("captioner" in models) is opened and {"clip", "diffusion"} <= models.keys()
    config["datasets"]["digits-reduced"]["captions"] = CAPTIONED
    assert inventory.choose_models(config) == config["models"]
