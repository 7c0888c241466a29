"""The miniature models that the project ships: their files, and what they are worth."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mvc.images.loaders import fashion_mnist
from mvc.miniature import captioner, quality, vae

MODELS = Path(__file__).parents[2] / "resources" / "miniature"
DATA = (Path(__file__).parents[2] / "data" / "fashion-mnist", fashion_mnist.DEBIAN)


@pytest.fixture(scope="module")
def models():
    return quality.Models(MODELS)


@pytest.fixture(scope="module")
def target():
    """Two hundred official test images."""
    folder = next((folder for folder in DATA if folder.is_dir()), None)
    if folder is None:
        pytest.skip("Fashion-MNIST is not on this machine")
    fashion = fashion_mnist.read_folder(folder)
    return quality.convert_to_target(fashion.test_images[:200], fashion.test_labels[:200], size=32)


def test_files_are_small_readable_and_only_safetensors():
    files = [path for path in MODELS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 12e6
    assert all(path.stat().st_mode & 0o444 == 0o444 for path in files)
    assert not [path for path in files if path.suffix in (".bin", ".pt", ".pth", ".pkl", ".ckpt")]


@pytest.mark.parametrize("folder", ["blip2", "clip", "stable-diffusion"])
def test_each_folder_has_a_card(folder):
    card = (MODELS / folder / "README.md").read_text(encoding="utf-8")
    for heading in ("## Data", "## Settings", "## Quality", "## Rebuild", "## Licence"):
        assert heading in card


def test_parts_fit_together(models):
    assert models.unet.config.cross_attention_dim == models.clip.text.width
    assert models.unet.config.in_channels == models.vae.config.latent_channels
    assert models.vae.config.scaling_factor != 0.18215  # measured, not the default


def test_diffusion_folder_opens_as_a_pipeline():
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(
        MODELS / "stable-diffusion", text_encoder=None, tokenizer=None, torch_dtype=torch.float32
    )
    assert pipeline.scheduler.config.beta_schedule == "scaled_linear"


def test_reconstruction_of_the_target_reaches_26_db(models, target):
    assert vae.compute_psnr(target.images, models.reconstruct(target.images)) >= 26


def test_captions_name_the_targets_class_group_and_differ(models, target):
    few = target.select(np.arange(100))
    seen = captioner.measure_quality(models.captioner, models.processor, few.images, few.labels)
    assert seen["names_group"] >= 80 and seen["distinct"] >= 30


def test_samples_are_coloured_and_differ(models):
    drawn = models.sample(steps=4, scale=3.0, seed=0).float()
    red, white = drawn[0], drawn[30]  # a bright red t-shirt; a black and white one
    centre = red[:, 12:20, 12:20].mean((1, 2))
    assert centre[0] > centre[1] + 30 and centre[0] > centre[2] + 30
    assert (white.amax(0) - white.amin(0)).mean() < 40
