"""Random models of the real classes, small enough to build in a test."""

import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel

TEXT, LATENT = 16, 4  # text width, latent channels


def unet(inputs=LATENT, text=TEXT):
    torch.manual_seed(0)
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=inputs,
        out_channels=LATENT,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=text,
        attention_head_dim=2,
        norm_num_groups=4,
    )


def vae():
    torch.manual_seed(1)
    return AutoencoderKL(
        block_out_channels=(8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        latent_channels=LATENT,
        norm_num_groups=4,
        sample_size=32,
        scaling_factor=0.5,
    )


def scheduler():
    return DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")


def stable_diffusion(folder, text=TEXT):
    """A folder in diffusers' layout, as hubs have them."""
    unet(text=text).save_pretrained(folder / "unet")
    vae().save_pretrained(folder / "vae")
    scheduler().save_pretrained(folder / "scheduler")
    return str(folder)
