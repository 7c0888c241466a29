"""Memory of fine-tuning: what is counted without contents is what a real pass keeps."""

import re

import pytest
import torch
from diffusers import UNet2DConditionModel
from mvc.estimate.memory import NORMS, count_kept, format_memory
from mvc.models.stable_diffusion import widen
from mvc.unet.adapt import mark_trained
from project_tree import REPO

MINIATURE = str(REPO / "resources/miniature/stable-diffusion")
REAL = "stable-diffusion-v1-5/stable-diffusion-v1-5"


@pytest.mark.parametrize("kind", ["full", "norms", "lora"])
def test_a_real_pass_keeps_as_much_as_is_counted(kind):
    unet = UNet2DConditionModel.from_pretrained(MINIATURE, subfolder="unet")
    latent = unet.config.in_channels
    unet = widen(unet, latent).float()
    trained = mark_trained(unet.train(), kind, rank=8)
    for module in unet.modules():
        if isinstance(module, NORMS):
            module.register_forward_pre_hook(lambda _, given: (given[0].float(),))
    apart = {p.untyped_storage().data_ptr() for p in unet.parameters()}
    shapes = {tuple(p.shape) for p in unet.parameters()}
    kept = {}

    def keep(tensor):
        shape, storage = tuple(tensor.shape), tensor.untyped_storage()
        if storage.data_ptr() not in apart and not {shape, shape[::-1]} & shapes:
            kept[storage.data_ptr()] = tensor
        return tensor

    hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    z = torch.randn(1, 2 * latent, 8, 8)
    given = z, torch.zeros(1, dtype=torch.long), torch.randn(1, 77, 128)
    with hooks, torch.autocast("cpu", torch.bfloat16):
        unet(*given)
    counted = count_kept(MINIATURE, 32, kind, 8)
    assert counted.trained == 4 * sum(p.numel() for p in trained)
    real = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    assert counted.whole == pytest.approx(real, rel=0.02)
    assert counted.inputs + counted.part < counted.whole


def test_the_real_unet_by_hand():
    """860 M weights: 3.44 GB each of weights, gradients and average, 6.88 of moments (issued by
    hand), and 1.7 in half precision."""
    kept = count_kept(REAL, 256, "full", 8)
    assert kept.weights == kept.trained == pytest.approx(3.44e9, rel=0.01)
    way = {"optimizer": "adamw", "average": "GPU", "checkpointing": False}
    per_image = kept.add_up(2, **way) - kept.add_up(1, **way)
    assert per_image == pytest.approx(0.32, abs=0.02)
    assert kept.add_up(1, **way) == pytest.approx(4 * 3.44 + 3.44 + 1.72 + 0.32 + 0.8, abs=0.1)


def test_the_miniature_needs_no_table():
    assert format_memory(MINIATURE, 32, 8) == ""


@pytest.mark.slow
def test_the_page_of_the_real_models_has_what_is_counted():
    page = (REPO / "docs/real-models.md").read_text(encoding="utf-8")
    lines = re.sub(" +", " ", format_memory(REAL, 256, 16)).splitlines()
    rows = [line for line in lines if line.startswith(("| lora", "| norms", "| full"))]
    assert len(rows) == 10
    for row in rows:
        assert row in page, row
