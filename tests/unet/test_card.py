"""The card of a fine-tuned U-Net, and that the pipeline opens it as the card says."""

import re
from types import SimpleNamespace

import pytest
import torch
from diffusers import StableDiffusionInstructPix2PixPipeline, UNet2DConditionModel
from mvc.core import image_tables
from mvc.models.licences import find_licence
from mvc.models.stable_diffusion import load_unet, widen
from mvc.unet import card
from PIL import Image
from project_tree import REPO
from toy import table, toy

BASE = REPO / "resources/miniature/stable-diffusion"
SETTINGS = {
    "train": "lora",
    "rank": 8,
    "steps": 900,
    "batch_size": 4,
    "optimizer": "adamw",
    "learning_rate": 5e-4,
    "schedule": "cosine",
    "ema_decay": 0.999,
    "resolution": 32,
    "pairing": "class",
    "text": "caption",
    "dropout": {"text": 0.05, "image": 0.06, "both": 0.07},
    "flip": False,
    "clip": "resources/miniature/clip",
    "diffusion": str(BASE),
}


def write_card(folder, **config):
    """Run the rule's script on a widened U-Net; return the card."""
    import unet_card

    unet = load_unet(BASE, text_width=128)
    unet = widen(unet, unet.config.in_channels)
    unet.register_to_config(**config)
    unet.save_pretrained(folder / "unet")
    image_tables.write(table(toy(), "train"), folder / "train.parquet")
    losses = "".join(f"{i},{loss}\n" for i, loss in enumerate([9.0] * 5 + [0.25] * 100, 1))
    (folder / "loss.csv").write_text("step,loss\n" + losses)
    unet_card.main(
        SimpleNamespace(
            input=SimpleNamespace(
                images=folder / "train.parquet",
                unet=str(folder / "unet/config.json"),
                losses=folder / "loss.csv",
            ),
            output=[folder / "unet/README.md"],
            log=[folder / "log"],
            threads=1,
            params=SimpleNamespace(cfg=SETTINGS, code=""),
            wildcards=SimpleNamespace(dataset="toy"),
        )
    )
    return (folder / "unet/README.md").read_text(encoding="utf-8")


def test_the_pipeline_opens_the_unet_as_its_card_says(tmp_path):
    text = write_card(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    scope = {
        "photograph": Image.new("RGB", (32, 32), "red"),
        "text": torch.zeros(1, 77, 128),
        "empty": torch.ones(1, 77, 128),
    }
    opening, drawing = code.split("picture = ")
    exec(opening, scope)  # the lines of the card, as they stand
    assert isinstance(scope["pipeline"], StableDiffusionInstructPix2PixPipeline)
    scope["pipeline"].set_progress_bar_config(disable=True)
    exec("picture = " + drawing.replace("image=", "num_inference_steps=2, image="), scope)
    assert scope["picture"].size == (32, 32)
    opened = UNet2DConditionModel.from_pretrained(tmp_path / "unet")
    assert opened.config.in_channels == 2 * scope["pipeline"].vae.config.latent_channels
    assert "license: apache-2.0" in text and f"base_model: {BASE}" in text
    for fact in (
        "24 training images of\n3 classes",
        "low-rank adapters of attention (rank 8)",
        "105 of 4 image pairs |",
        "0.2500 in the mean of the last 100 steps",
        "the caption of the image",
        "image alone 0.06",
        "(1, 77, 128)",
    ):
        assert fact in text, fact


def test_the_card_names_the_step_of_an_early_stop(tmp_path):
    stop = {"step": 40, "validation_loss": 0.2}
    assert "the weights are those after step 40" in write_card(tmp_path, early_stop=stop)


@pytest.mark.parametrize(
    "base, licence",
    [
        (str(BASE), "apache-2.0"),
        ("stable-diffusion-v1-5/stable-diffusion-v1-5", "creativeml-openrail-m"),
        ("someone/else", None),
    ],
)
def test_find_licence_reads_the_card_of_a_folder_and_knows_published_models(base, licence):
    assert find_licence(base) == licence
    assert card.has_text_encoder(base) == (base != str(BASE))


def test_a_model_of_the_hub_is_opened_with_its_own_text_encoder():
    settings = SETTINGS | {"diffusion": "someone/else"}
    facts = {"dataset": "toy", "folder": "unet", "images": 5, "classes": 2}
    text = card.format_card(settings, {"cross_attention_dim": 768}, [0.5], **facts)
    assert "license: other" in text and "text_encoder=None" not in text
    assert "someone/else`, whose licence is not known" in text and 'pipeline("…"' in text
