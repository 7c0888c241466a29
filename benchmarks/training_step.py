"""A training step with cached latents and text, against steps that encode them each time.

    python benchmarks/training_step.py [--train norms --batch 32 --diffusion FOLDER --clip NAME …]

The first other step differs in the encoding alone: both images through the VAE and the prompts
through the text tower. Both train what `unet.train` says. The second does all that a step of
diffusers' `train_instruct_pix2pix.py` does with its defaults: it trains all weights, decodes and
resizes both images, tokenises the prompts, encodes the empty one, and takes AdamW and the moving
average one tensor at a time. All take the same U-Net and batch size, in turns in one run.
"""

import argparse
import io
import itertools
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow/scripts"))

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from diffusers import DDPMScheduler
from diffusers.training_utils import EMAModel
from mvc.banks.recipes import leave_unmixed
from mvc.models.clip import compute_text_states, find_text_width, load_clip, tokenize
from mvc.models.stable_diffusion import encode, load_betas, load_unet, load_vae, widen
from mvc.unet.memory import DEFAULT, Memory
from mvc.unet.pairs import Batch, Pool, draw_batch
from mvc.unet.trainer import Trainer
from PIL import Image
from race import parse_options, race

MINIATURE = ROOT / "resources/miniature"
IMAGES = 64  # in the pool
PROMPT = "This is an image of a shirt, a bright red shirt with stripes"
DROPOUT = 0.05
GOAL = 1.9


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--diffusion", default=str(MINIATURE / "stable-diffusion"))
    parser.add_argument("--clip", default=str(MINIATURE / "clip"))
    parser.add_argument("--resolution", type=int, default=32)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--train", default="norms", help="unet.train: what the first two train")
    parser.add_argument("--repeats", type=int, default=30, help="timed steps of each kind")
    return parse_options(parser, batch=2, repeats=1)


@dataclass(frozen=True)
class Models:
    """What all kinds of step share."""

    vae: torch.nn.Module
    clip: torch.nn.Module
    tokenizer: Callable
    betas: DDPMScheduler
    accelerator: Accelerator

    def load_unet(self, diffusion: str) -> torch.nn.Module:
        """The U-Net with channels for the image."""
        width = find_text_width(self.clip)
        unet = load_unet(diffusion, text_width=width, device=self.accelerator.device)
        return widen(unet, self.vae.config.latent_channels)

    def compute_text(self, prompts: Sequence[str]) -> torch.Tensor:
        ids, _ = tokenize(self.tokenizer, prompts)
        return compute_text_states(self.clip, ids.to(self.accelerator.device))


def load_models(options: argparse.Namespace) -> Models:
    accelerator = Accelerator(mixed_precision="bf16" if torch.cuda.is_available() else "no")
    vae = load_vae(options.diffusion, device=accelerator.device)
    clip, _, tokenizer = load_clip(options.clip, device=accelerator.device)
    return Models(vae, clip, tokenizer, load_betas(options.diffusion), accelerator)


def build_trainer(
    options: argparse.Namespace,
    models: Models,
    *,
    train: str = "full",
    rank: int = 1,
    memory: Memory = DEFAULT,
) -> Trainer:
    settings = dict(learning_rate=1e-5, schedule="cosine", warmup_steps=0, weight_decay=0.01)
    settings |= dict(max_grad_norm=1.0, ema_decay=0.999, steps=10**6, train=train, rank=rank)
    settings |= dict(optimizer="adamw", memory=memory)
    unet = models.load_unet(options.diffusion)
    return Trainer(unet, betas=models.betas, accelerator=models.accelerator, **settings)


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


def build_draw(
    options: argparse.Namespace, models: Models, pixels: torch.Tensor
) -> Callable[[], Batch]:
    """A function that draws the batch of the next step from cached latents and text."""
    pool = build_pool(models.vae, pixels, models.compute_text([PROMPT]).cpu())
    drawing = dict(batch_size=options.batch, pairing="class", text="bank", seed=0)
    drawing |= dict(dropout=dict.fromkeys(("text", "image", "both"), DROPOUT), timesteps=1000)
    drawing |= dict(scaling_factor=models.vae.config.scaling_factor)
    steps, device = itertools.count(), models.accelerator.device
    return lambda: draw_batch(pool, step=next(steps), **drawing).select(slice(None), device)


def build_steps(
    options: argparse.Namespace, models: Models, pixels: torch.Tensor
) -> tuple[Callable, Callable]:
    """Functions that take this project's step, and the same step with encoding."""
    vae, device = models.vae, models.accelerator.device
    trainer = build_trainer(options, models, train=options.train)
    draw = build_draw(options, models, pixels)
    ids, _ = tokenize(models.tokenizer, [PROMPT] * options.batch)

    def step_cached() -> None:
        trainer.update(draw())

    def step_encoding() -> None:
        batch = draw()
        rows = torch.randint(IMAGES, (2, options.batch))
        with models.accelerator.autocast():
            latents, _ = encode(vae, pixels[rows[0]], batch_size=options.batch)
            image, _ = encode(vae, pixels[rows[1]], batch_size=options.batch)
            text = compute_text_states(models.clip, ids.to(device))
        latents = (latents.float() * vae.config.scaling_factor).to(device)
        fresh = (latents, image.float().to(device), text.float(), batch.noise, batch.timestep)
        trainer.update(Batch(*(tensor.clone() for tensor in fresh)))

    return step_cached, step_encoding


def build_script_step(
    options: argparse.Namespace, models: Models, files: Sequence[bytes], *, parts: int = 1
) -> Callable:
    """A function that takes a step as `train_instruct_pix2pix.py` does.

    Args:
        parts: of the batch, whose gradients are accumulated.
    """
    vae, accelerator = models.vae, models.accelerator
    unet = models.load_unet(options.diffusion).requires_grad_(True).train()
    ema = EMAModel(unet.parameters())
    unet, optimizer = accelerator.prepare(unet, torch.optim.AdamW(unet.parameters(), lr=1e-5))
    n = options.batch // parts

    def accumulate() -> None:
        original, edited = read_pairs(files, n, options).to(accelerator.device).chunk(2)
        with torch.no_grad(), accelerator.autocast():
            text = models.compute_text([PROMPT] * n)
            null = models.compute_text([""])
            latents = vae.encode(edited).latent_dist.sample() * vae.config.scaling_factor
            image = vae.encode(original).latent_dist.mode()
        chance = torch.rand(n, device=latents.device)
        text = torch.where((chance < 2 * DROPOUT)[:, None, None], null, text)
        image = image * ((chance < DROPOUT) | (chance >= 3 * DROPOUT))[:, None, None, None]
        noise = torch.randn_like(latents)
        timesteps = torch.randint(1000, (n,), device=latents.device)
        noisy = models.betas.add_noise(latents, noise, timesteps)
        estimate = unet(torch.cat([noisy, image], dim=1), timesteps, text).sample
        loss = F.mse_loss(estimate.float(), noise.float())
        loss.item()
        accelerator.backward(loss / parts)

    def step() -> None:
        for _ in range(parts):
            accumulate()
        accelerator.clip_grad_norm_(unet.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        ema.step(unet.parameters())

    return step


def read_pairs(files: Sequence[bytes], n: int, options: argparse.Namespace) -> torch.Tensor:
    """Decode and resize n original images, then n edited ones, mirrored at random.

    Returns:
        (2 n, 3, h, w) in -1..1.
    """
    size = (options.resolution, options.resolution)
    chosen = random.choices(files, k=2 * n)
    opened = (Image.open(io.BytesIO(file)).convert("RGB").resize(size) for file in chosen)
    images = np.stack([np.array(image).transpose(2, 0, 1) for image in opened])
    pixels = 2 * (torch.tensor(images) / 255) - 1
    return pixels.flip(-1) if random.random() < 0.5 else pixels


def draw_pixels(resolution: int) -> torch.Tensor:
    """Images of noise."""
    return torch.randint(0, 256, (IMAGES, 3, resolution, resolution), dtype=torch.uint8)


def encode_png(pixels: torch.Tensor) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(file, "PNG")
    return file.getvalue()


def main() -> None:
    options = parse_arguments()
    models = load_models(options)
    pixels = draw_pixels(options.resolution)
    step_cached, step_encoding = build_steps(options, models, pixels)
    step_script = build_script_step(options, models, [encode_png(image) for image in pixels])
    race(
        {
            "cached": step_cached,
            "encoded each time": step_encoding,
            "`train_instruct_pix2pix.py`": step_script,
        },
        of=f"a training step of {options.batch} pairs ({options.train})",
        options=options,
        goals={"encoded each time": GOAL},
    )


if __name__ == "__main__":
    main()
