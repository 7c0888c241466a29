"""Stable Diffusion's parts: opening them, widening the U-Net's input, images to latents and back.

Axes: n images, h and w pixels; c latent channels, y and x latent positions.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    UNet2DConditionModel,
)
from diffusers.utils import logging
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from mvc.console.progress import Meter
from mvc.core.batching import advise_resolution, fit_memory, has_constant_batches
from mvc.core.device import autocast
from mvc.core.finite import require_finite
from mvc.core.pixels import load as load_pixels
from mvc.models import fitting
from mvc.models.opening import (
    check_loaded,
    explain_missing,
    fetch_folder,
    refuse_faults,
    require_files,
    settle_model,
)
from mvc.models.parts import PARTS

# The fine-tuned U-Net's config has a key that diffusers does not know, and warns of at each load.
logging.set_verbosity_error()

# How e_I enters the U-Net, kept in the checkpoint's config: the mode of the VAE's posterior, not
# multiplied by its scaling factor, as InstructPix2Pix does.
CONDITIONING = "posterior mode, unscaled"
CLASSES = {"vae": AutoencoderKL, "unet": UNet2DConditionModel}
VAE_REMEDY = "choose another models.diffusion, whose VAE computes them"


def load(name: str | Path, part: str, *, direct: bool = False, device="cpu"):
    """Open the VAE or the U-Net of a Stable Diffusion folder or hub name in float32, frozen.

    Args:
        part: `vae` or `unet`.
        direct: whether the folder holds the part itself.

    Raises:
        FileNotFoundError: the model is missing or incomplete.
    """
    with explain_missing("diffusion", name, part="" if direct else part):
        folder, variant = Path(name), None
        if not direct:
            whole = fetch_folder(name, part)
            require_files(whole, part)
            folder, variant = whole / part, PARTS[part].find_weights(whole).variant
        if variant:
            print(f"models.diffusion: the weights of {part} are rounded to half precision")
        model, report = CLASSES[part].from_pretrained(
            folder,
            torch_dtype=torch.float32,
            use_safetensors=True,
            variant=variant,
            output_loading_info=True,
        )
    check_loaded("diffusion", name, report)
    return settle_model("diffusion", name, model, device)


def load_vae(name: str | Path, *, device="cpu") -> AutoencoderKL:
    """Open the VAE, E and D of the paper; on a GPU it takes one image of a batch at a time.

    Raises:
        ValueError: its latents are not Stable Diffusion's.
    """
    vae = load(name, "vae", device=device)
    refuse_faults("diffusion", name, fitting.list_vae_faults(vae.config))
    if not has_constant_batches(device):
        vae.enable_slicing()  # a batch would take gigabytes, and is hardly faster
    return vae


def load_unet(name: str | Path, *, text_width: int, device="cpu") -> UNet2DConditionModel:
    """Open the U-Net of a Stable Diffusion folder, or of a fine-tuned one that holds it directly.

    Raises:
        ValueError: it is not Stable Diffusion's, or reads text of another width than `text_width`.
    """
    direct = (Path(name) / "diffusion_pytorch_model.safetensors").is_file()
    unet = load(name, "unet", direct=direct, device=device)
    if not direct:
        refuse_faults("diffusion", name, fitting.list_unet_faults(unet.config))
    if (reads := unet.config.cross_attention_dim) != text_width:
        raise ValueError(
            f"the U-Net of {name} reads text states of width {reads}, models.clip gives "
            f"{text_width}; set models.clip to the text encoder that the U-Net was trained with"
        )
    if direct and unet.config.get("conditioning_latent") != CONDITIONING:
        raise ValueError(
            f"{name}: its conditioning latent is {unet.config.get('conditioning_latent')!r}, this "
            f"version gives {CONDITIONING!r}; fine-tune it again"
        )
    return unet


def load_solver(
    name: str | Path, *, order: int = 2, karras: bool = False
) -> DPMSolverMultistepScheduler:
    """Open the solver on the noise schedule of a Stable Diffusion folder, see `make_solver`."""
    return make_solver(
        _load_schedule(DPMSolverMultistepScheduler, name), order=order, karras=karras
    )


def make_solver(config: Mapping, *, order: int, karras: bool) -> DPMSolverMultistepScheduler:
    """Make DPM-Solver++ (multistep) on the noise schedule of a scheduler's config.

    Args:
        order: of the solver, 1 to 3.
        karras: noise levels spaced as by Karras et al. 2022, instead of evenly in time.
    """
    options = {"solver_order": order, "use_karras_sigmas": karras}
    return DPMSolverMultistepScheduler.from_config(config, algorithm_type="dpmsolver++", **options)


def load_betas(name: str | Path) -> DDPMScheduler:
    """Open the noise schedule of a Stable Diffusion folder, for training."""
    return DDPMScheduler.from_config(_load_schedule(DDPMScheduler, name))


def _load_schedule(part: type, name: str | Path) -> Mapping:
    """Load the config of a folder's scheduler."""
    with explain_missing("diffusion", name, part="scheduler"):
        config = part.load_config(fetch_folder(name, "scheduler"), subfolder="scheduler")
    refuse_faults("diffusion", name, fitting.list_scheduler_faults(config))
    return config


def compute_target(
    betas: DDPMScheduler,
    latents: Float[Tensor, "n c y x"],
    noise: Float[Tensor, "n c y x"],
    timestep: Int[Tensor, " n"],
) -> Float[Tensor, "n c y x"]:
    """Compute what the U-Net is to estimate: the noise (Eq. 4), or with v-prediction the velocity.

    v = sqrt(alpha_t) eps - sqrt(1 - alpha_t) z_0 (Salimans & Ho 2022), as Stable Diffusion 2.x at
    768 px; the solver reads the same key of the scheduler.
    """
    if betas.config.prediction_type == "v_prediction":
        return betas.get_velocity(latents, noise, timestep)
    return noise


def check_pair(name: str | Path, unet: UNet2DConditionModel, vae: AutoencoderKL) -> None:
    """Refuse a U-Net of other latents than the VAE's.

    Raises:
        ValueError: the channels of both.
    """
    refuse_faults("diffusion", name, fitting.list_pair_faults(unet.config, vae.config))


@torch.no_grad()
def widen(unet: UNet2DConditionModel, extra: int) -> UNet2DConditionModel:
    """Give the first convolution `extra` more input channels, of zero weight (Section 3.3).

    Trained weights and bias are kept, so that the widened U-Net equals the old one for every
    conditioning image until it is trained.
    """
    old = unet.conv_in
    new = nn.Conv2d(
        old.in_channels + extra, old.out_channels, old.kernel_size, old.stride, old.padding
    ).to(old.weight)
    new.weight.zero_()
    new.weight[:, : old.in_channels] = old.weight
    new.bias.copy_(old.bias)
    unet.conv_in = new
    unet.register_to_config(in_channels=old.in_channels + extra, conditioning_latent=CONDITIONING)
    return unet


@torch.inference_mode()
def encode(
    vae: AutoencoderKL, pixels: UInt8[Tensor, "n 3 h w"], *, batch_size: int
) -> tuple[Float[Tensor, "n c y x"], Float[Tensor, "n c y x"]]:
    """Encode images: mean and standard deviation of each posterior, unscaled, on the CPU.

    Raises:
        ValueError: a latent is not finite.
        MemoryError: a single image does not fit the GPU's memory.
    """

    def encode_batch(batch: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b 2 c y x"]:
        with autocast(vae.device):
            posterior = vae.encode(batch.to(vae.device).float() / 127.5 - 1).latent_dist
        latents = torch.stack([posterior.mean, posterior.std], dim=1).float().cpu()
        return require_finite(latents, "latents of real images", VAE_REMEDY)

    remedy = advise_resolution(pixels.shape[-1])
    compute = fit_memory(encode_batch, device=vae.device, remedy=remedy)
    mean, std = torch.cat([compute(batch) for batch in pixels.split(batch_size)]).unbind(dim=1)
    return mean.contiguous(), std.contiguous()


def cache_latents(
    vae: AutoencoderKL,
    files: Sequence[bytes],
    *,
    size: int,
    flip: bool,
    fit: str = "crop",
    batch_size: int = 16,
) -> tuple[Float[Tensor, "n f c y x"], Float[Tensor, "n f c y x"]]:
    """Encode image files, and their mirror images if `flip`: posterior means and deviations.

    Args:
        files: contents of image files; decoded a batch at a time.
        size: resolution in pixels.
        fit: how oblong images become squares, see `image_tables.get_fit`.
    """
    means, stds = [], []
    meter = Meter(len(files), "images encoded")
    for first in range(0, len(files), batch_size):
        pixels = load_pixels(files[first : first + batch_size], size=size, fit=fit)
        entries = [pixels, pixels.flip(-1)] if flip else [pixels]
        encoded = [encode(vae, entry, batch_size=batch_size) for entry in entries]
        means.append(torch.stack([mean for mean, _ in encoded], dim=1))
        stds.append(torch.stack([std for _, std in encoded], dim=1))
        meter.show(min(first + batch_size, len(files)))
    return torch.cat(means), torch.cat(stds)


@torch.inference_mode()
def decode(vae: AutoencoderKL, latents: Float[Tensor, "n c y x"]) -> UInt8[Tensor, "n 3 h w"]:
    """Decode scaled latents z_0 to images, on the CPU.

    Raises:
        ValueError: a pixel is not finite.
    """
    with autocast(vae.device):
        images = vae.decode(latents / vae.config.scaling_factor).sample
    require_finite(images, "pixels decoded by the VAE", VAE_REMEDY)
    return ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).cpu()
