"""Models that are missing, gated or not whole: one error says what to get and where it goes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
import torch
from mvc.models import blip2, clip, opening, stable_diffusion
from safetensors.torch import load_file, save_file

ROOT = Path(__file__).parents[2]
MINIATURE = ROOT / "resources/miniature"
HUB = {
    "captioner": "Salesforce/blip2-opt-2.7b",
    "clip": "ViT-L-14-quickgelu/openai",
    "diffusion": "stable-diffusion-v1-5/stable-diffusion-v1-5",
}
OPEN = {
    "captioner": "blip2.load_captioner(name)",
    "clip": "clip.load_clip(name)",
    "diffusion": "stable_diffusion.load_vae(name)",
}


def copy(source: Path, target: Path) -> Path:
    """A folder of links to the files of another."""
    for file in source.rglob("*"):
        if file.is_file():
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(file)
    return target


def test_hub_names_without_network(tmp_path):
    """Each key's error names what to download; the offline switch of the hub spares retries."""
    lines = ["from mvc.models import blip2, clip, stable_diffusion", "def attempt(name, opened):"]
    lines += ["    try: opened(name)", "    except FileNotFoundError as error: print(error)"]
    lines += [f"attempt({HUB[key]!r}, lambda name: {OPEN[key]})" for key in HUB]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        env=os.environ
        | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PYTHONPATH": "workflow/scripts"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for key, name in HUB.items():
        assert f"models.{key} = {name}: no " in done.stdout
        assert f"then set models.{key} to that folder" in done.stdout
    for name in (HUB["captioner"], "timm/vit_large_patch14_clip_224.openai", HUB["diffusion"]):
        assert f"`hf download {name} --include " in done.stdout
    assert '--include "vae/diffusion_pytorch_model.safetensors"' in done.stdout


def broken(tmp_path, damage):
    """The tiny Stable Diffusion with one of its files damaged; the loader's message."""
    folder = Path(tiny.stable_diffusion(tmp_path / "sd"))
    damage(folder / "unet")
    with pytest.raises(FileNotFoundError) as raised:
        stable_diffusion.load_unet(folder, text_width=tiny.TEXT)
    assert str(raised.value).startswith(f"models.diffusion = {folder}: ")
    return str(raised.value)


def test_pickles_are_named_and_not_opened(tmp_path):
    def damage(unet):
        state = load_file(unet / "diffusion_pytorch_model.safetensors")
        torch.save(state, unet / "diffusion_pytorch_model.bin")
        (unet / "diffusion_pytorch_model.safetensors").unlink()

    said = broken(tmp_path, damage)
    assert "diffusion_pytorch_model.bin is a pickle, which is never loaded" in said


def test_a_download_that_broke_off(tmp_path):
    def damage(unet):
        file = unet / "diffusion_pytorch_model.safetensors"
        file.write_bytes(file.read_bytes()[:-50])

    assert "unet/diffusion_pytorch_model.safetensors" in broken(tmp_path, damage)


def test_weights_that_lack_tensors_are_not_filled_with_random_ones(tmp_path):
    def damage(unet):
        file = unet / "diffusion_pytorch_model.safetensors"
        state = load_file(file)
        del state["conv_in.weight"]
        save_file(state, file, {"format": "pt"})

    assert "1 tensors with missing keys, conv_in.weight the first" in broken(tmp_path, damage)


def test_a_folder_without_scheduler(tmp_path):
    tiny.unet().save_pretrained(tmp_path / "unet")
    with pytest.raises(FileNotFoundError, match="no scheduler can be opened there"):
        stable_diffusion.load_solver(tmp_path)


@pytest.mark.parametrize(
    "gone", ["model.safetensors", "config.json", "tokenizer.json", "processor_config.json"]
)
def test_a_captioner_without_one_of_its_files(tmp_path, gone):
    folder = copy(MINIATURE / "blip2", tmp_path / "blip2")
    (folder / gone).unlink()
    with pytest.raises(FileNotFoundError, match="models.captioner = .*no BLIP-2") as raised:
        blip2.load_captioner(str(folder))
    assert '--include "model*.safetensors" --local-dir' in str(raised.value)


def test_clip_weights_that_are_not_its_config(tmp_path):
    folder = copy(MINIATURE / "clip", tmp_path / "clip")
    file = folder / "open_clip_model.safetensors"
    state = load_file(file)
    file.unlink()
    save_file({name: value for name, value in state.items() if "ln_final" not in name}, file)
    with pytest.raises(FileNotFoundError, match="models.clip = .*no CLIP model"):
        clip.load_clip(str(folder))


def test_clip_by_architecture_and_a_file_that_is_not_there():
    with pytest.raises(ValueError, match="ViT-L-14-quickgelu/nowhere.safetensors: neither"):
        clip.load_clip("ViT-L-14-quickgelu/nowhere.safetensors")


@pytest.mark.parametrize(
    "name, fits",
    [("ViT-L-14/openai", "ViT-L-14-quickgelu/openai"), ("RN50/openai", "RN50-quickgelu/openai")],
)
def test_check_activation_names_the_architecture_of_the_weights(name, fits):
    """open_clip warns in a log, and all states are others."""
    with pytest.raises(ValueError, match=fits):
        clip.load_clip(name)
    clip.check_activation("ViT-L-14-quickgelu", "openai")
    clip.check_activation("ViT-B-32", "laion2b_e16")


def test_other_errors_pass_through():
    with pytest.raises(KeyError), opening.explain_missing("clip", "x"):
        raise KeyError("a mistake in the code")
