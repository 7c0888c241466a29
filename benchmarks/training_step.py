"""A training step with cached latents and text, against one that encodes them at every step.

    python benchmarks/training_step.py [--diffusion FOLDER --clip NAME --resolution 32 --batch 32]

The other step is what the common InstructPix2Pix training script does: both images through the VAE
and the prompt through the text tower, each time. Both steps train the same U-Net on the same batch
size, taking turns in one run.
"""

import argparse
import itertools
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow/scripts"))

import torch
from accelerate import Accelerator
from diffusers import DDPMScheduler
from mvc.banks.recipes import leave_unmixed
from mvc.models.clip import compute_text_states, find_text_width, load_clip, tokenize
from mvc.models.stable_diffusion import encode, load_unet, load_vae, widen
from mvc.unet.pairs import Batch, Pool, draw_batch
from mvc.unet.trainer import Trainer
from race import parse_options, race

MINIATURE = ROOT / "resources/miniature"
IMAGES = 64  # in the pool


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--diffusion", default=str(MINIATURE / "stable-diffusion"))
    parser.add_argument("--clip", default=str(MINIATURE / "clip"))
    parser.add_argument("--resolution", type=int, default=32)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=20, help="timed steps of each kind")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    return parse_options(parser, batch=2, steps=1)


def build_trainer(
    options: argparse.Namespace, width: int, latent: int, accelerator: Accelerator
) -> Trainer:
    """Trainer of the U-Net, for text of `width` numbers and images of `latent` channels."""
    unet = load_unet(options.diffusion, text_width=width, device=accelerator.device)
    betas = DDPMScheduler.from_pretrained(options.diffusion, subfolder="scheduler")
    settings = dict(learning_rate=1e-5, schedule="cosine", warmup_steps=0, weight_decay=0.01)
    settings |= dict(max_grad_norm=1.0, ema_decay=0.999, steps=10**6, train="full", rank=1)
    return Trainer(widen(unet, latent), betas=betas, accelerator=accelerator, **settings)


def build_pool(vae: torch.nn.Module, pixels: torch.Tensor, states: torch.Tensor) -> Pool:
    """One class of images with the same caption each, unmixed."""
    n = len(pixels)
    mean, std = encode(vae, pixels, batch_size=8)
    return Pool(
        mean=mean[:, None],
        std=std[:, None],
        labels=torch.zeros(n, dtype=torch.int64),
        tokens=states.repeat(n, 1, 1),
        null=states[0],
        recipes=leave_unmixed(range(n)),
        recipe_labels=torch.zeros(n, dtype=torch.int64),
    )


def build_steps(options: argparse.Namespace) -> tuple[Callable, Callable]:
    """Functions that take a step on cached latents and text, and one that encodes them."""
    accelerator = Accelerator(mixed_precision="bf16" if torch.cuda.is_available() else "no")
    device = accelerator.device
    vae = load_vae(options.diffusion, device=device)
    clip, _, tokenizer = load_clip(options.clip, device=device)
    trainer = build_trainer(options, find_text_width(clip), vae.config.latent_channels, accelerator)
    pixels = torch.randint(0, 256, (IMAGES, 3, *[options.resolution] * 2), dtype=torch.uint8)
    ids, _ = tokenize(tokenizer, ["This is an image of a shirt, a bright red shirt with stripes"])
    pool = build_pool(vae, pixels, compute_text_states(clip, ids.to(device)).cpu())
    drawing = dict(batch_size=options.batch, pairing="class", text="bank", seed=0)
    drawing |= dict(dropout={"text": 0.05, "image": 0.05, "both": 0.05}, timesteps=1000)
    factor = vae.config.scaling_factor
    steps = itertools.count()

    def step_cached() -> None:
        batch = draw_batch(pool, step=next(steps), scaling_factor=factor, **drawing)
        trainer.update(batch.select(slice(None), device))

    def step_encoding() -> None:
        batch = draw_batch(pool, step=next(steps), scaling_factor=factor, **drawing)
        batch = batch.select(slice(None), device)
        rows = torch.randint(IMAGES, (2, options.batch))
        with accelerator.autocast():
            latents, _ = encode(vae, pixels[rows[0]], batch_size=options.batch)
            image, _ = encode(vae, pixels[rows[1]], batch_size=options.batch)
            text = compute_text_states(clip, ids.repeat(options.batch, 1).to(device))
        latents, image = (latents.float() * factor).to(device), image.float().to(device)
        fresh = (latents, image, text.float(), batch.noise, batch.timestep)
        trainer.update(Batch(*(tensor.clone() for tensor in fresh)))

    return step_cached, step_encoding


def main() -> None:
    options = parse_arguments()
    torch.set_num_threads(options.threads)
    step_cached, step_encoding = build_steps(options)
    race(
        step_cached,
        step_encoding,
        names=("cached", "encoding"),
        repeats=options.steps,
        of=f"a step of {options.batch} pairs",
    )


if __name__ == "__main__":
    main()
