"""Autoencoder of the miniature Stable Diffusion: training and quality.

Axes: n images, c = 3 colour channels, h = w = 32 pixels.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from mvc.miniature import training
from mvc.miniature.corpus import Corpus
from mvc.miniature.render import STYLES


def create(*, widths: list[int], layers: int, latent_channels: int, size: int) -> AutoencoderKL:
    """Create an untrained AutoencoderKL; every width after the first halves the resolution."""
    return AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * len(widths),
        up_block_types=["UpDecoderBlock2D"] * len(widths),
        block_out_channels=widths,
        layers_per_block=layers,
        latent_channels=latent_channels,
        norm_num_groups=8,
        mid_block_add_attention=False,
        sample_size=size,
        force_upcast=False,
    )


def train(
    model: AutoencoderKL,
    images: UInt8[Tensor, "n 3 h w"],
    weights: np.ndarray,
    *,
    batch_size: int,
    kl: float,
    generator: torch.Generator,
    **settings,
) -> None:
    """Minimise squared + absolute error + `kl` x divergence, all means over elements.

    Args:
        weights: proportional to how often each image is drawn.
        settings: of `training.run`.
    """
    chances = torch.from_numpy(weights / weights.sum()).double()

    def loss_of(step: int) -> Tensor:
        rows = torch.multinomial(chances, batch_size, replacement=True, generator=generator)
        pixels = images[rows].float() / 127.5 - 1
        posterior = model.encode(pixels).latent_dist
        noise = torch.randn(posterior.mean.shape, generator=generator)
        decoded = model.decode(posterior.mean + posterior.std * noise).sample
        error = F.mse_loss(decoded, pixels) + 0.5 * F.l1_loss(decoded, pixels)
        return error + kl * posterior.kl().sum() / posterior.mean.numel()

    training.run(model, loss_of, **settings)


@torch.no_grad()
def encode_latents(
    model: AutoencoderKL, images: UInt8[Tensor, "n 3 h w"], *, batch_size: int = 256
) -> Tensor:
    """Encode images to unscaled posterior means: `Float[Tensor, "n latent_channels h/4 w/4"]`."""
    parts = images.split(batch_size)
    return torch.cat([model.encode(p.float() / 127.5 - 1).latent_dist.mode() for p in parts])


@torch.no_grad()
def decode(
    model: AutoencoderKL, codes: Tensor, *, batch_size: int = 256
) -> UInt8[Tensor, "n 3 h w"]:
    """Decode unscaled latents to pixels."""
    parts = [model.decode(part).sample for part in codes.split(batch_size)]
    return ((torch.cat(parts) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def compute_psnr(first: UInt8[Tensor, "n 3 h w"], second: UInt8[Tensor, "n 3 h w"]) -> float:
    """Compute the peak signal-to-noise ratio in dB of each image, averaged over images."""
    error = (first.float() - second.float()).div(255).square().mean((1, 2, 3))
    return float((-10 * torch.log10(error.clamp_min(1e-10))).mean())


def calibrate(model: AutoencoderKL, images: UInt8[Tensor, "n 3 h w"]) -> float:
    """Set and return the scaling factor, 1 / standard deviation of the latents.

    Raises:
        ValueError: the factor is not finite.
    """
    factor = 1 / float(encode_latents(model, images).std())
    if not math.isfinite(factor):
        raise ValueError(f"scaling factor = {factor}; the autoencoder is not trained")
    model.register_to_config(scaling_factor=factor)
    return factor


def draw_weights(styles: Int[np.ndarray, " n"], *, plain: float) -> Float[np.ndarray, " n"]:
    """Compute weights with which plain pictures make up the share `plain` of all draws."""
    grey = styles == STYLES.index("plain")
    return np.where(grey, plain / max(grey.sum(), 1), (1 - plain) / max((~grey).sum(), 1))


def measure_quality(model: AutoencoderKL, corpus: Corpus) -> dict[str, float]:
    """Measure the PSNR in dB of each style's pictures, decoded from their latents."""
    report = {}
    for style in STYLES:
        images = corpus.select_style(style).images[:1000]
        if len(images):
            report[style] = round(
                compute_psnr(images, decode(model, encode_latents(model, images))), 2
            )
    return report
