"""Counted operations: the published figures of the real architectures, and laws that they obey."""

from pathlib import Path

import pytest
import torch
from mvc.estimate import architectures, flops

SD, CLIP = "stable-diffusion-v1-5/stable-diffusion-v1-5", "ViT-L-14-quickgelu/openai"
BLIP2 = "Salesforce/blip2-opt-2.7b"
MINIATURE = Path(__file__).parents[2] / "resources/miniature"
GFLOP = 1e9


@pytest.mark.parametrize(
    "pixels, unet, encode, decode", [(256, 180, 273, 622), (512, 803, 1117, 2515)]
)
def test_stable_diffusions_known_costs(pixels, unet, encode, decode):
    vae = architectures.build_vae(SD)
    assert flops.count_unet_forward(
        architectures.build_unet(SD), resolution=pixels
    ) == pytest.approx(unet * GFLOP, rel=0.03)
    assert flops.count_vae_encode(vae, resolution=pixels) == pytest.approx(encode * GFLOP, rel=0.03)
    assert flops.count_vae_decode(vae, resolution=pixels) == pytest.approx(decode * GFLOP, rel=0.03)


def test_text_towers_known_cost():
    assert flops.count_text_tower(architectures.build_clip(CLIP)) == pytest.approx(
        13 * GFLOP, rel=0.03
    )


def test_image_towers_known_cost():
    """ViT-L/14 at 224 pixels: 81 GFLOP of multiply-adds, as open_clip's own table counts them."""
    assert flops.count_image_tower(architectures.build_clip(CLIP)) == pytest.approx(
        2 * 81 * GFLOP, rel=0.03
    )


def test_unets_have_the_known_number_of_weights():
    def millions(model):
        return sum(p.numel() for p in model.parameters()) / 1e6

    assert millions(architectures.build_unet(SD)) == pytest.approx(859.5, abs=0.1)
    assert millions(architectures.build_vae(SD)) == pytest.approx(83.7, abs=0.1)
    assert millions(architectures.build_captioner(BLIP2)) == pytest.approx(3745, rel=0.01)


@pytest.mark.parametrize(
    "name, size, classes, gmac",
    [
        ("wrn-28-10", 32, 10, 5.25),
        ("resnet50", 224, 1000, 4.1),
        ("vit_base_patch16_224", 224, 1000, 17.6),
    ],
)
def test_classifiers_known_costs(name, size, classes, gmac):
    """Published in multiply-adds."""
    model = architectures.build_classifier(name, classes, size=size)
    forward = flops.count_classifier_forward(model, size=size)
    assert forward == pytest.approx(2 * gmac * GFLOP, rel=0.03)


def test_a_caption_costs_more_with_tokens_and_beams():
    model = architectures.build_captioner(BLIP2)
    one = flops.count_caption(model, new_tokens=20, num_beams=1)
    assert one > 2 * 2.6e9 * (20 + 33)  # the language model alone
    longer = flops.count_caption(model, new_tokens=40, num_beams=1)
    assert longer - one == pytest.approx(20 * 2 * 2.65e9, rel=0.02)
    seen = one - 53 * (longer - one) // 20  # vision tower and Q-Former: 257 tokens, 1 G weights
    assert seen == pytest.approx(257 * 2 * 1.0e9, rel=0.1)
    beams = flops.count_caption(model, new_tokens=20, num_beams=5)
    assert beams - seen == 5 * (one - seen)


def test_training_and_sampling_add_up():
    assert flops.count_training_step(10) == 30
    unet, encode, decode = 180, 273, 622
    two = flops.count_sampling(unet, decode, evaluations=50, encode=encode)
    assert two == 50 * unet + encode + decode


def test_folders_give_their_own_shape():
    """Counted on meta and on the weights themselves: the same."""
    from mvc.models.clip import load_clip
    from mvc.models.stable_diffusion import load_unet

    folder = str(MINIATURE / "stable-diffusion")
    real = load_unet(folder, text_width=128)
    on_meta = architectures.build_unet(folder)
    assert flops.count_unet_forward(real, resolution=32) == flops.count_unet_forward(
        on_meta, resolution=32
    )
    clip = str(MINIATURE / "clip")
    assert flops.count_text_tower(load_clip(clip)[0]) == flops.count_text_tower(
        architectures.build_clip(clip)
    )
    blip = architectures.build_captioner(str(MINIATURE / "blip2"))
    assert 0 < flops.count_caption(blip, new_tokens=5, num_beams=1) < GFLOP
    assert next(on_meta.parameters()).device.type == "meta"


@pytest.mark.parametrize(
    "build, name, key",
    [
        (architectures.build_unet, "nobody/nothing", "models.diffusion"),
        (architectures.build_vae, "nobody/nothing", "models.diffusion"),
        (architectures.build_clip, "ViT-Z-99/openai", "models.clip"),
        (architectures.build_captioner, "./nowhere", "models.captioner"),
        (
            lambda name: architectures.build_classifier(name, 2, size=32),
            "resnet5000",
            "classifiers.models",
        ),
    ],
)
def test_unknown_architectures_are_named(build, name, key):
    with pytest.raises(ValueError, match=f"{key}.*{name}"):
        build(name)


def test_a_devices_throughput_is_measured():
    block, state = flops._build_block(torch.device("cpu"), torch.float32, 1)
    tokens, c = 32 * 32, 320
    attention = 2 * 2 * tokens**2 * c
    linear = 2 * tokens * (9 * c * c + 3 * c * c + c * c)
    assert flops.count_operations(lambda: block(state)) == attention + linear
    rate = flops.measure_throughput("cpu", seconds=0.2)
    assert 1e8 < rate < 1e14
