"""U-Net of the miniature Stable Diffusion, trained like the real one: text to image, by Eq. 1.

Axes: n pictures, c latent channels, y = x = 8 latent positions, m context tokens, d text width.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from jaxtyping import Float, Float16, Int, UInt8
from torch import Tensor, nn

from mvc.console.progress import Meter
from mvc.miniature import training, vae
from mvc.models.clip import compute_text_states, tokenize
from mvc.models.stable_diffusion import encode, load_solver
from mvc.synthetic.sampler import solve

# Stable Diffusion 1.x's noise schedule.
SCHEDULE = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "prediction_type": "epsilon",
}
# model_index.json: a pipeline without a text encoder of its own, which is CLIP's (see clip/).
INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "scheduler": ["diffusers", "DDIMScheduler"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
    **{
        part: [None, None]
        for part in ("text_encoder", "tokenizer", "safety_checker", "feature_extractor")
    },
    "requires_safety_checker": False,
}
CLAMP = 5.0  # largest signal-to-noise ratio in the loss weights


def create(
    channels: int,
    positions: int,
    text_width: int,
    *,
    widths: list[int],
    attention: list[bool],
    heads: int,
    layers: int,
) -> UNet2DConditionModel:
    """Create an untrained UNet2DConditionModel.

    Args:
        channels, positions: of the latents.
        widths, attention: channels of each level, and whether it reads the text; each level
            after the first halves the resolution. The middle always reads the text.
    """
    down = ["CrossAttnDownBlock2D" if reads else "DownBlock2D" for reads in attention]
    up = ["CrossAttnUpBlock2D" if reads else "UpBlock2D" for reads in reversed(attention)]
    return UNet2DConditionModel(
        sample_size=positions,
        in_channels=channels,
        out_channels=channels,
        down_block_types=down,
        up_block_types=up,
        mid_block_type="UNetMidBlock2DCrossAttn",
        block_out_channels=widths,
        layers_per_block=layers,
        cross_attention_dim=text_width,
        attention_head_dim=heads,  # diffusers reads it as the number of heads
        norm_num_groups=8,
    )


def build_scheduler() -> DDIMScheduler:
    """Build the scheduler of the model's folder."""
    return DDIMScheduler(**SCHEDULE)


def cache_latents(
    encoder: AutoencoderKL, images: UInt8[Tensor, "n 3 h w"]
) -> tuple[Float16[Tensor, "n c y x"], Float16[Tensor, "n c y x"]]:
    """Compute mean and standard deviation of each picture's scaled posterior."""
    posterior = encode(encoder, images, batch_size=256)
    mean, std = ((values * encoder.config.scaling_factor).half() for values in posterior)
    return mean, std


def cache_text(
    clip: nn.Module, tokenizer, captions: Sequence[str], *, batch_size: int = 128
) -> tuple[Float16[Tensor, "k m d"], Int[Tensor, " n"]]:
    """Compute the text states of the distinct captions, first of them "", and each caption's row.

    A caption takes about 20 KB in half precision.
    """
    distinct, inverse = np.unique(np.array(["", *captions]), return_inverse=True)
    ids = tokenize(tokenizer, distinct.tolist())[0]
    states, meter = [], Meter(len(ids), "captions")
    for start in range(0, len(ids), batch_size):
        states.append(compute_text_states(clip, ids[start : start + batch_size]).half())
        meter.show(min(start + batch_size, len(ids)))
    return torch.cat(states), torch.from_numpy(inverse[1:])


def train(
    model: UNet2DConditionModel,
    mean: Float16[Tensor, "n c y x"],
    std: Float16[Tensor, "n c y x"],
    text: Float16[Tensor, "k m d"],
    rows_of_text: Int[Tensor, " n"],
    *,
    batch_size: int,
    dropout: float,
    generator: torch.Generator,
    **settings,
) -> None:
    """Train noise prediction, each example weighted by min(SNR, 5) / SNR.

    The weights (Hang et al. 2023, min-SNR) keep nearly clean timesteps from dominating a short
    training. One timestep is drawn from each of `batch_size` equal strata: uniform, less variance.

    Args:
        mean, std: of the scaled posterior, from which z_0 is sampled at each draw.
        text: states of the distinct captions; row 0 is the empty caption's.
        dropout: share of examples without their caption.
        settings: of `training.run`.
    """
    kept = build_scheduler().alphas_cumprod
    ratio = kept / (1 - kept)
    weight = ratio.clamp(max=CLAMP) / ratio

    def loss_of(step: int) -> Tensor:
        rows = torch.randint(len(mean), (batch_size,), generator=generator)
        spread = torch.randn(mean[rows].shape, generator=generator)
        z = mean[rows].float() + std[rows].float() * spread
        strata = torch.arange(batch_size) + torch.rand(batch_size, generator=generator)
        t = (strata / batch_size * len(kept)).long()
        noise = torch.randn(z.shape, generator=generator)
        share = kept[t][:, None, None, None]
        dropped = torch.rand(batch_size, generator=generator) < dropout
        state = text[rows_of_text[rows].masked_fill(dropped, 0)].float()
        guess = model(share.sqrt() * z + (1 - share).sqrt() * noise, t, state).sample
        return (weight[t] * (guess - noise).square().mean((1, 2, 3))).mean()

    training.run(model, loss_of, **settings)


def draw(
    model: UNet2DConditionModel,
    decoder: AutoencoderKL,
    folder: str | Path,
    *,
    text: Float[Tensor, "n m d"],
    null: Float[Tensor, "m d"],
    steps: int,
    scale: float,
    generator: torch.Generator,
) -> UInt8[Tensor, "n 3 h w"]:
    """Draw pictures of captions with the sampler of the main pipeline.

    Args:
        folder: of the Stable Diffusion, with its scheduler.
        scale: of the guidance.
    """
    shape = (len(text), model.config.in_channels, *[model.config.sample_size] * 2)
    z = solve(
        model,
        load_solver(folder),
        torch.randn(shape, generator=generator),
        text=text,
        null=null,
        image=None,
        steps=steps,
        mode="text",
        scale=scale,
        image_scale=1.0,
    )
    return vae.decode(decoder, z / decoder.config.scaling_factor)
