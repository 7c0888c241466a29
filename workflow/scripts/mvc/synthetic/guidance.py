"""Classifier-free guidance with a text and an image condition (Section 3.3, Eq. 6).

Axes: n images, c latent channels, y and x latent positions, m context tokens, d text width.
"""

import torch
from jaxtyping import Float
from torch import Tensor

MODES = ("text", "both", "ip2p")


def predict_noise(
    unet,
    latents: Float[Tensor, "n c y x"],
    timestep: Tensor | int,
    *,
    text: Float[Tensor, "n m d"],
    null: Float[Tensor, "m d"],
    image: Float[Tensor, "n c y x"] | None,
    mode: str,
    scale: float | int,
    image_scale: float | int,
) -> Float[Tensor, "n c y x"]:
    """Predict the noise with guidance.

    `text`: eps = w eps(z, e_T, e_I) + (1 - w) eps(z, null, e_I), the null term keeps the image;
    `both`: as `text`, the null term drops the image too;
    `ip2p`: InstructPix2Pix's two scales and three evaluations,
        eps(null, 0) + s_I [eps(null, e_I) - eps(null, 0)] + s_T [eps(e_T, e_I) - eps(null, e_I)],
    which is `text` at s_I = 1 and `both` at s_I = s_T.

    Args:
        image: e_I, or None for a U-Net without image condition, where all modes are `text`.
        scale: w, or s_T.
        image_scale: s_I, read in mode `ip2p` only.

    Raises:
        ValueError: there is no such mode.
    """
    if mode not in MODES:
        raise ValueError(f"synthetic.guidance = {mode}; must be one of {', '.join(MODES)}")
    empty = null.expand_as(text)
    if image is None:
        with_text, without = _evaluate_branches(unet, latents, timestep, [text, empty], None)
        return without + scale * (with_text - without)
    zero = torch.zeros_like(image)
    if mode == "ip2p":
        with_text, with_image, without = _evaluate_branches(
            unet, latents, timestep, [text, empty, empty], [image, image, zero]
        )
        from_image = image_scale * (with_image - without)
        return without + from_image + scale * (with_text - with_image)
    null_image = image if mode == "text" else zero
    with_text, without = _evaluate_branches(
        unet, latents, timestep, [text, empty], [image, null_image]
    )
    return without + scale * (with_text - without)


def _evaluate_branches(unet, latents, timestep, texts, images):
    """Evaluate the U-Net once, on all branches as one batch."""
    z = torch.cat([latents] * len(texts))
    if images is not None:
        z = torch.cat([z, torch.cat(images)], dim=1)
    return unet(z, timestep, encoder_hidden_states=torch.cat(texts)).sample.chunk(len(texts))
