"""Classifier-free guidance with a text and an image condition (Section 3.3, Eq. 6).

Axes: n images, c latent channels, y and x latent positions, m context tokens, d text width.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from mvc.core.device import autocast

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
    `ip2p`: InstructPix2Pix's two scales,
        eps(null, 0) + s_I [eps(null, e_I) - eps(null, 0)] + s_T [eps(e_T, e_I) - eps(null, e_I)],
    which is `text` at s_I = 1 and `both` at s_I = s_T. Terms whose factor is 0 are not evaluated:
    at scale 1 `text` and `both` are the conditional estimate itself, `ip2p` only if s_I = 1 too.

    Args:
        image: e_I, or None for a U-Net without image condition, where all modes are `text`.
        scale: w, or s_T.
        image_scale: s_I, read in mode `ip2p` only.

    Raises:
        ValueError: there is no such mode.
    """
    scale, image_scale = settle_scales(mode, scale, image_scale, conditioned=image is not None)
    zero = None if image is None else torch.zeros_like(image)
    full, empty = (text, image), null.expand_as(text)
    if scale == image_scale == 1:
        return _evaluate_branches(unet, latents, timestep, [full])[0]
    if image_scale in (1, scale):
        nothing = (empty, image if image_scale == 1 else zero)
        with_text, without = _evaluate_branches(unet, latents, timestep, [full, nothing])
        return without + scale * (with_text - without)
    branches = [full, (empty, image), (empty, zero)]
    with_text, with_image, without = _evaluate_branches(unet, latents, timestep, branches)
    from_image = image_scale * (with_image - without)
    return without + from_image + scale * (with_text - with_image)


def settle_scales(
    mode: str, scale: float | int, image_scale: float | int, *, conditioned: bool = True
) -> tuple[float | int, float | int]:
    """Settle the scales s_T and s_I of `ip2p` that a mode stands for.

    Args:
        conditioned: whether the U-Net takes an image.

    Raises:
        ValueError: there is no such mode.
    """
    if mode not in MODES:
        raise ValueError(f"synthetic.guidance = {mode}; must be one of {', '.join(MODES)}")
    if mode == "text" or not conditioned:
        return scale, 1
    return scale, scale if mode == "both" else image_scale


def count_branches(scale: float | int, image_scale: float | int) -> int:
    """Count the terms of `ip2p` that are evaluated at these scales, see `settle_scales`."""
    if scale == image_scale == 1:
        return 1
    return 2 if image_scale in (1, scale) else 3


def _evaluate_branches(unet, latents, timestep, branches):
    """Evaluate the U-Net once, on all branches (text and image) as one batch."""
    texts, images = zip(*branches, strict=True)
    z = torch.cat([latents] * len(branches))
    if images[0] is not None:
        z = torch.cat([z, torch.cat(images)], dim=1)
    with autocast(z.device):
        estimate = unet(z, timestep, encoder_hidden_states=torch.cat(texts)).sample
    return estimate.float().chunk(len(branches))
