"""Guidance with two U-Net evaluations, against diffusers' three-branch pipeline.

    python benchmarks/guidance.py [--diffusion FOLDER --images 16 --steps 20 --scale 4]

At image scale 1 the three-branch StableDiffusionInstructPix2PixPipeline computes what guidance
`text` computes with two branches. The results are compared first; then both are timed in turns.
"""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow/scripts"))

import torch
from diffusers import StableDiffusionInstructPix2PixPipeline
from mvc.core.device import pick_device
from mvc.models.stable_diffusion import encode, load_solver, load_unet, load_vae, widen
from mvc.synthetic.sampler import draw_noise, solve
from race import parse_options, race

MINIATURE = ROOT / "resources/miniature"
GOAL = 1.5


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--diffusion", default=str(MINIATURE / "stable-diffusion"))
    parser.add_argument("--width", type=int, default=128, help="text width of the U-Net")
    parser.add_argument("--resolution", type=int, default=32)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--scale", type=float, default=4.0)
    parser.add_argument("--repeats", type=int, default=5)
    return parse_options(parser, images=2, steps=2, repeats=1)


def load_widened_unet(options: argparse.Namespace, vae: torch.nn.Module) -> torch.nn.Module:
    """The U-Net with channels for the image, whose weights are not zero as before fine-tuning."""
    latent = vae.config.latent_channels
    unet = load_unet(options.diffusion, text_width=options.width, device=vae.device)
    unet = widen(unet, latent).requires_grad_(False)
    torch.nn.init.normal_(unet.conv_in.weight[:, latent:], std=0.05)
    return unet


def make_pipeline(
    vae: torch.nn.Module, unet: torch.nn.Module, scheduler
) -> StableDiffusionInstructPix2PixPipeline:
    """diffusers' pipeline without a text encoder: prompts come as embeddings."""
    pipeline = StableDiffusionInstructPix2PixPipeline(
        vae=vae,
        unet=unet,
        scheduler=scheduler,
        text_encoder=None,
        tokenizer=None,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def build_samplers(options: argparse.Namespace) -> tuple[Callable, Callable]:
    """Functions that sample the same images with two branches and with three."""
    device = pick_device()
    torch.manual_seed(0)
    vae = load_vae(options.diffusion, device=device)
    unet = load_widened_unet(options, vae)
    n = options.images
    pixels = torch.randint(0, 256, (n, 3, *[options.resolution] * 2), dtype=torch.uint8)
    text = torch.randn(n, 77, options.width, device=device)
    null = torch.randn(77, options.width, device=device)
    mean, _ = encode(vae, pixels, batch_size=n)
    noise = draw_noise(range(n), tuple(mean.shape[1:])).to(device)
    solver = load_solver(options.diffusion)
    settings = {"steps": options.steps, "scale": options.scale, "image_scale": 1.0}
    two = partial(solve, unet, solver, noise, text=text, null=null, mode="text", **settings)
    three = partial(
        make_pipeline(vae, unet, load_solver(options.diffusion)),
        image=pixels.float() / 255,
        prompt_embeds=text,
        negative_prompt_embeds=null.expand_as(text),
        num_inference_steps=options.steps,
        guidance_scale=options.scale,
        image_guidance_scale=1.0,
        latents=noise,
        output_type="latent",
    )
    return (
        lambda: two(image=encode(vae, pixels, batch_size=n)[0].to(device)),
        lambda: three().images,
    )


def main() -> None:
    options = parse_arguments()
    sample_with_two, sample_with_three = build_samplers(options)
    ours = sample_with_two()
    theirs = sample_with_three()
    difference = float((ours - theirs).abs().max() / theirs.abs().max())
    print(f"largest difference of the latents: {difference:.1e} of their largest value")
    if difference > 1e-3:
        raise SystemExit("the two guidances disagree; nothing was timed")
    race(
        {"two branches": sample_with_two, "diffusers, three branches": sample_with_three},
        of=f"sampling of {options.images} images in {options.steps} steps",
        options=options,
        goals={"diffusers, three branches": GOAL},
    )


if __name__ == "__main__":
    main()
