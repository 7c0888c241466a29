"""What the target `models` lists and fetches."""

import pytest
from huggingface_hub.errors import DryRunError
from mvc.models import inventory


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
