"""CLIP's text tower against the U-Net's own text encoder, by a few of their weights."""

import json

import pytest
import torch
from mvc.models import checking, doubts, twins
from real_shapes import text_model_state
from safetensors.torch import save_file
from test_embeddings import native


@pytest.fixture
def towers(tmp_path):
    """One tower in open_clip's file and in transformers', and a function that writes another."""
    clip = native()

    def write(state, name, dtype=torch.float32):
        state = {key: value.detach().to(dtype).contiguous() for key, value in state.items()}
        save_file(state, tmp_path / name)
        return tmp_path / name

    return clip, write


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("prefix", ["text_model.", ""])
def test_compare_towers_knows_the_same_weights_in_any_precision(towers, dtype, prefix):
    clip, write = towers
    state = {prefix + key: value for key, value in text_model_state(clip).items()}
    ours, theirs = write(clip.state_dict(), "clip"), write(state, "encoder", dtype)
    for block in (0, 1):
        assert twins.compare_towers(theirs, ours, block=block) == 1


def test_compare_towers_tells_another_tower_from_one_trained_further(towers):
    clip, write = towers
    ours = write(clip.state_dict(), "clip")
    state = text_model_state(clip)
    further = {
        key: value + 0.1 * value.std() * torch.randn_like(value) for key, value in state.items()
    }
    assert twins.ALIKE < twins.compare_towers(write(further, "further"), ours, block=1) < 1
    other = {key: value.std() * torch.randn_like(value) for key, value in state.items()}
    assert abs(twins.compare_towers(write(other, "other"), ours, block=1)) < 0.3
    merged = state | {key: other[key] for key in state if "layers.1.mlp" in key}
    assert twins.compare_towers(write(merged, "merged"), ours, block=1) < twins.ALIKE
    wide = {key: torch.cat([value, value]) for key, value in state.items()}
    assert twins.compare_towers(write(wide, "wide"), ours, block=1) == 0
    assert twins.compare_towers(write({"a": torch.ones(2)}, "none"), ours, block=1) is None
    assert twins.compare_towers(ours.with_name("nowhere"), ours, block=1) is None


def test_models_of_other_weights_are_refused_and_of_similar_ones_warned_of(towers, tmp_path):
    clip, write = towers
    for folder in ("sd/text_encoder", "sd/unet", "clip"):
        (tmp_path / folder).mkdir(parents=True)
    encoder = {"num_hidden_layers": 2, "hidden_act": "quick_gelu", "num_attention_heads": 2}
    text = {"width": 16, "heads": 2, "layers": 2}
    for file, content in {
        "sd/text_encoder/config.json": encoder,
        "sd/unet/config.json": {"cross_attention_dim": 16, "out_channels": 4},
        "clip/open_clip_config.json": {"model_cfg": {"quick_gelu": True, "text_cfg": text}},
    }.items():
        (tmp_path / file).write_text(json.dumps(content), encoding="utf-8")
    write(clip.state_dict(), "clip/open_clip_model.safetensors")
    models = {"clip": str(tmp_path / "clip"), "diffusion": str(tmp_path / "sd")}
    models["captioner"] = "owner/not-here"
    config = {"models": models, "datasets": {}}
    for noise, faults, warnings in ((0, 0, 0), (0.1, 0, 1), (30, 1, 0)):
        state = {
            key: value + noise * value.std() * torch.randn_like(value)
            for key, value in text_model_state(clip).items()
        }
        write(state, "sd/text_encoder/model.safetensors")
        found = list(checking._list_fit_faults(config))
        assert len(found) == faults and len(doubts.list_warnings(config)) == warnings
        assert all("correlation" in line and "models.clip" in line for line in found)
