"""Guidance (Eq. 6): each mode against its formula, and the two identities with InstructPix2Pix."""

import pytest
import tiny
import torch
from mvc.synthetic.guidance import MODES, count_branches, predict_noise, settle_scales

W = 4.0


@pytest.fixture(scope="module")
def case():
    rng = torch.Generator().manual_seed(0)
    net = tiny.unet(2 * tiny.LATENT).eval().requires_grad_(False)
    z, image = torch.randn(2, 3, tiny.LATENT, 8, 8, generator=rng)
    text, null = (
        torch.randn(3, 5, tiny.TEXT, generator=rng),
        torch.randn(5, tiny.TEXT, generator=rng),
    )
    return net, z, image, text, null


def guided(case, mode, image_scale=1.5, scale=W):
    net, z, image, text, null = case
    return predict_noise(
        net,
        z,
        500,
        text=text,
        null=null,
        image=image,
        mode=mode,
        scale=scale,
        image_scale=image_scale,
    )


def evaluate(case, *, text, image):
    """One branch by itself: with or without each condition."""
    net, z, e_i, e_t, null = case
    states = e_t if text else null.expand_as(e_t)
    latents = torch.cat([z, e_i if image else torch.zeros_like(e_i)], 1)
    return net(latents, 500, encoder_hidden_states=states).sample


@pytest.mark.parametrize("mode, null_keeps_image", [("text", True), ("both", False)])
def test_two_branches_are_equation_6(case, mode, null_keeps_image):
    full = evaluate(case, text=True, image=True)
    null = evaluate(case, text=False, image=null_keeps_image)
    assert torch.allclose(guided(case, mode), W * full + (1 - W) * null, atol=1e-5)


def test_three_branches_are_instruct_pix2pix(case):
    full, image = evaluate(case, text=True, image=True), evaluate(case, text=False, image=True)
    none = evaluate(case, text=False, image=False)
    expected = none + 1.5 * (image - none) + W * (full - image)
    assert torch.allclose(guided(case, "ip2p"), expected, atol=1e-5)


def test_text_is_ip2p_at_image_scale_1(case):
    assert torch.allclose(guided(case, "text"), guided(case, "ip2p", image_scale=1), atol=1e-5)


def test_both_is_ip2p_at_equal_scales(case):
    assert torch.allclose(guided(case, "both"), guided(case, "ip2p", image_scale=W), atol=1e-5)


BRANCHES = {
    # mode, w or s_T, s_I: evaluations of the U-Net for each image
    ("text", 1.0, 1.5): 1,
    ("text", W, 1.5): 2,
    ("both", 1, 1.5): 1,
    ("both", W, 1.5): 2,
    ("ip2p", 1.0, 1.0): 1,
    ("ip2p", 1.0, 1.5): 3,  # the image's own scale still needs both null terms
    ("ip2p", W, 1.0): 2,
    ("ip2p", W, W): 2,
    ("ip2p", W, 1.5): 3,
}


@pytest.mark.parametrize("mode, scale, image_scale", BRANCHES)
def test_terms_of_factor_0_are_not_evaluated(case, mode, scale, image_scale):
    """Against the whole formula of InstructPix2Pix, each term by itself."""
    net, z, image, text, null = case
    seen = []

    def count(latents, *arguments, **conditions):
        seen.append(len(latents) // len(z))
        return net(latents, *arguments, **conditions)

    made = guided((count, z, image, text, null), mode, image_scale=image_scale, scale=scale)
    of_text, of_image = settle_scales(mode, scale, image_scale)
    full, some, none = (evaluate(case, text=t, image=i) for t, i in ((1, 1), (0, 1), (0, 0)))
    expected = none + of_image * (some - none) + of_text * (full - some)
    assert torch.allclose(made, expected, atol=1e-5)
    assert seen == [BRANCHES[mode, scale, image_scale]] == [count_branches(of_text, of_image)]


def test_without_an_image_scale_1_is_one_evaluation_in_every_mode():
    assert {count_branches(*settle_scales(m, 1, 1.5, conditioned=False)) for m in MODES} == {1}
    assert {count_branches(*settle_scales(m, W, 1.5, conditioned=False)) for m in MODES} == {2}


def test_a_unet_without_image_takes_text_alone():
    rng = torch.Generator().manual_seed(0)
    net = tiny.unet().eval().requires_grad_(False)
    z = torch.randn(2, tiny.LATENT, 8, 8, generator=rng)
    text, null = (
        torch.randn(2, 5, tiny.TEXT, generator=rng),
        torch.randn(5, tiny.TEXT, generator=rng),
    )
    estimate = predict_noise(
        net, z, 9, text=text, null=null, image=None, mode="text", scale=W, image_scale=1
    )
    full = net(z, 9, encoder_hidden_states=text).sample
    none = net(z, 9, encoder_hidden_states=null.expand_as(text)).sample
    assert torch.allclose(estimate, W * full + (1 - W) * none, atol=1e-5)


def test_unknown_mode_names_what_is_allowed(case):
    with pytest.raises(ValueError, match="synthetic.guidance = image; must be one of text, both"):
        guided(case, "image")
