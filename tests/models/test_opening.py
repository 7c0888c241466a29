"""Models that are missing, gated or not whole: one error says what to get and where it goes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import open_clip
import pytest
import tiny
import torch
from mvc.captions import generation
from mvc.models import blip2, clip, opening, stable_diffusion
from PIL import Image
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


def write_named(monkeypatch, tmp_path, file):
    """A small CLIP that open_clip knows by name, in a hub's cache on a machine without network."""
    architecture = copy(MINIATURE / "clip", tmp_path / "clip")
    config = json.loads((architecture / "open_clip_config.json").read_text(encoding="utf-8"))
    config["model_cfg"]["quick_gelu"] = False
    trained = {"hf_hub": f"owner/small/{file}", "mean": (0.1,) * 3, "std": (0.2,) * 3}
    known = open_clip.pretrained._PRETRAINED | {"small": {"own": trained}}
    monkeypatch.setattr(open_clip.pretrained, "_PRETRAINED", known)
    configs = open_clip.factory._MODEL_CONFIGS | {"small": config["model_cfg"]}
    monkeypatch.setattr(open_clip.factory, "_MODEL_CONFIGS", configs)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    repository = tmp_path / "cache/models--owner--small"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs/main").write_text("c0ffee")
    snapshot = repository / "snapshots/c0ffee"
    snapshot.mkdir(parents=True)
    return snapshot


@pytest.mark.parametrize(
    "file, safe",
    [("", "open_clip_model.safetensors"), ("pytorch_model.bin", "pytorch_model.safetensors")],
)
def test_clip_by_name_is_opened_from_safetensors_alone(monkeypatch, tmp_path, file, safe):
    """open_clip would take the pickle where the cache holds no other."""
    snapshot = write_named(monkeypatch, tmp_path, file)
    assert clip.find_repository("small/own") == ("owner/small", safe)
    for pickle in ("open_clip_pytorch_model.bin", "pytorch_model.bin"):
        state = load_file(MINIATURE / "clip/open_clip_model.safetensors")
        torch.save(state, snapshot / pickle)
    with pytest.raises(FileNotFoundError, match="models.clip = small/own: no CLIP model"):
        clip.load_clip("small/own")
    (snapshot / safe).symlink_to(MINIATURE / "clip/open_clip_model.safetensors")
    model, _, _ = clip.load_clip("small/own")
    expected = clip.load_clip(str(MINIATURE / "clip"))[0]
    assert torch.equal(model.text.ln_final.weight, expected.text.ln_final.weight)
    assert tuple(model.visual.image_mean) == (0.1,) * 3  # as the published weights want it


def test_a_captioner_of_the_layout_of_2023_captions_as_todays(tmp_path):
    """Without image_token_index, processor_config.json and the image's token."""
    folder = tmp_path / "blip2"
    shutil.copytree(MINIATURE / "blip2", folder)

    def edit(file, change):
        content = json.loads((folder / file).read_text(encoding="utf-8"))
        (folder / file).write_text(json.dumps(change(content)), encoding="utf-8")

    edit("config.json", lambda c: {k: v for k, v in c.items() if k != "image_token_index"})
    edit("tokenizer.json", lambda c: c | {"added_tokens": c["added_tokens"][:-1]})
    edit("processor_config.json", lambda c: c["image_processor"])
    (folder / "processor_config.json").rename(folder / "preprocessor_config.json")
    images = [Image.effect_noise((40, 30), 80).convert("RGB"), Image.new("RGB", (32, 32), "red")]
    texts = []
    for name in (folder, MINIATURE / "blip2"):
        model, processor = blip2.load_captioner(str(name))
        options = {"max_new_tokens": 9, "num_beams": 2, "batch_size": 2}
        made = generation.generate_captions(images, model=model, processor=processor, **options)
        texts.append(list(made))
    assert texts[0] == texts[1] and all(texts[0])
    model.config.image_token_index = None
    model.resize_token_embeddings(100)
    with pytest.raises(ValueError, match="no room for one in the vocabulary"):
        blip2.mark_image(model, processor, "name")


def test_other_errors_pass_through():
    with pytest.raises(KeyError), opening.explain_missing("clip", "x"):
        raise KeyError("a mistake in the code")


class TooLarge(torch.nn.Linear):
    def to(self, *arguments, **named):
        raise torch.OutOfMemoryError("CUDA out of memory.")


@pytest.mark.parametrize("key, remedy", [("captioner", "captions.file"), ("clip", "smaller")])
def test_weights_that_do_not_fit_a_gpu_name_the_key(key, remedy):
    with pytest.raises(MemoryError, match=f"models.{key} = name: its weights .*{remedy}"):
        opening.settle_model(key, "name", TooLarge(2, 2), "cuda")
