"""Fine-tuning as a user watches it: pictures, a validation loss, and a stop by it."""

import json
from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import load_file
from workflow_run import planned, snakemake

TARGET = "results/photos/unet/loss.csv"
WATCHED = "validation: {every: 2, pairs: 4}, sample_every: 4"


def write(folder: Path, name: str, keys: str) -> list[str]:
    (folder / name).write_text(f"unet: {{{keys}}}\n", encoding="utf-8")
    return ["--configfile", name, "--"]


@pytest.mark.slow
def test_a_watched_fine_tuning_ends_with_the_same_weights(copied):
    unet = copied / "results/photos/unet"
    before = load_file(unet / "diffusion_pytorch_model.safetensors")
    watched = write(copied, "watched.yaml", WATCHED)
    assert "unet" not in planned(copied, *watched, TARGET)
    snakemake(copied, "--force", *watched, TARGET)
    after = load_file(unet / "diffusion_pytorch_model.safetensors")
    assert all(after[name].equal(weight) for name, weight in before.items())
    losses = pd.read_csv(unet / "loss.csv")
    measured = losses.dropna(subset="validation_loss")["step"]
    assert set(measured[:-1] % 2) == {0} and measured.iloc[-1] == len(losses)
    pictures = sorted((copied / "logs/photos/unet").glob("*/samples/*.png"))
    assert [path.stem for path in pictures[:2]] == ["step-000000", "step-000004"]


@pytest.mark.slow
def test_an_early_stop_makes_the_weights_stale_and_says_which_it_keeps(copied):
    stopped = write(copied, "stopped.yaml", f"{WATCHED}, early_stop: {{patience: 1}}")
    assert "unet" in planned(copied, *stopped, TARGET)
    snakemake(copied, *stopped, "results/photos/unet/loss.png")
    losses = pd.read_csv(copied / TARGET)
    kept = json.loads((copied / "results/photos/unet/config.json").read_text())["early_stop"]
    assert losses["validation_loss"].idxmin() + 1 == kept["step"]
    log = (copied / "logs/photos/unet.log").read_text(encoding="utf-8")
    assert f"the averaged weights of step {kept['step']} are kept" in log
