"""Sampling at this project's defaults, against diffusers' InstructPix2Pix pipeline at its own.

    python benchmarks/sampling.py [--results results/fashion-mnist-few --images 40 --sweep]

Ours are 20 steps of DPM-Solver++ with two branches of the U-Net; the pipeline's are 100 steps of
the model's own scheduler with three branches, scales 7.5 and 1.5. Quality stands beside time: the
probability that CLIP gives each image's class, the share of images to whose class it gives most,
the distance to what 200 steps give under the same guidance, and with `--results`, which has the
fine-tuned U-Net of a data set, the Fréchet distance to its test images. Without it the U-Net is
the miniature one before fine-tuning, which draws what a caption says and sees no image.
`--sweep` measures further numbers of steps, orders, noise levels and intervals of guidance.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow/scripts"))

import numpy as np
import torch
from diffusers import DDIMScheduler
from guidance import make_pipeline
from mvc.banks.mixing import materialise
from mvc.captions.prompts import make_prompt
from mvc.core import image_tables
from mvc.core.device import pick_device, pick_precision
from mvc.core.pixels import load
from mvc.miniature.quality import Models, list_captions
from mvc.miniature.templates import SYNONYMS
from mvc.models import clip
from mvc.models.stable_diffusion import decode, encode, load_solver, load_unet, load_vae, widen
from mvc.quality.metrics import compute_frechet
from mvc.synthetic.plan import make_plan
from mvc.synthetic.sampler import Sampling, count_evaluations, draw_noise, solve
from race import parse_options, race
from safetensors.torch import load_file

MINIATURE = ROOT / "resources/miniature"
DIFFUSION = MINIATURE / "stable-diffusion"
PREFIX = "This is an image of {class}"
GOAL = 5
PIPELINE = "diffusers at its defaults"
PATH = 200  # steps of the reference
BATCH = 40


@dataclass
class Task:
    """What is sampled: n images of k classes, each from a text and an image."""

    text: torch.Tensor  # n m d
    null: torch.Tensor  # m d
    pixels: torch.Tensor  # uint8, n 3 s s
    labels: torch.Tensor  # n
    names: list[str]  # k
    unet: torch.nn.Module
    real: torch.Tensor | None = None  # uint8, images of the data set
    diffusion: str | Path = DIFFUSION  # for the noise schedule
    batch: int = BATCH  # images at once


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, help="folder of a data set that has been run")
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--scale", type=float, default=2.0)
    parser.add_argument("--pipeline-steps", type=int, default=100)
    parser.add_argument("--reference", type=int, default=PATH, help="steps of the reference")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sweep", action="store_true")
    tiny = dict(images=2, steps=1, pipeline_steps=2, reference=2, repeats=1)
    return parse_options(parser, **tiny)


def draw_task(n: int, vae: torch.nn.Module) -> Task:
    """Captions of ten classes, and the U-Net before fine-tuning: it sees no image yet."""
    models = Models(MINIATURE)
    captions, labels = list_captions()[:n], torch.arange(len(list_captions())) % len(SYNONYMS)
    ids, _ = clip.tokenize(models.tokens, ["", *captions])
    states = clip.compute_text_states(models.clip, ids)
    pixels = models.sample(steps=5, scale=2.0, seed=1)[:n]
    unet = widen(models.unet, vae.config.latent_channels).requires_grad_(False)
    names = [words[0] for words in SYNONYMS]
    return Task(states[1:], states[0], pixels, labels[:n], names, unet)


def read_task(folder: Path, n: int) -> Task:
    """Recipes, images and fine-tuned U-Net of a data set's results, spread over its classes."""
    train, test, bank = (
        image_tables.read(folder / file)
        for file in ("images/train.parquet", "images/test.parquet", "bank.parquet")
    )
    bank = bank.take(np.linspace(0, len(bank) - 1, n).astype(int))
    labels = train["label"].to_pylist()
    plan = make_plan("finetuned", bank, labels, shard=0, shards=1, seed=0)
    embeddings = load_file(folder / "embeddings.safetensors")
    files, size = image_tables.get_bytes(train), 32
    unet = load_unet(folder / "unet", text_width=embeddings["tokens"].shape[2])
    names = image_tables.read_class_names(train)
    classes = torch.tensor([list(names).index(label) for label in plan.labels])
    pixels = load([files[row] for row in plan.sources], size=size)
    real = load(image_tables.get_bytes(test), size=size)
    text = materialise(embeddings["tokens"], plan.recipes).float()
    return Task(text, embeddings["null"].float(), pixels, classes, [*names.values()], unet, real)


def build_ours(task: Task, vae: torch.nn.Module, sampling: Sampling) -> Callable:
    """A function that samples the task as this project does."""
    device, n = vae.device, len(task.labels)
    solver = load_solver(task.diffusion, order=sampling.order, karras=sampling.karras)
    unet, null = task.unet.to(device), task.null.to(device)

    def sample() -> torch.Tensor:
        images = []
        for rows in torch.arange(n).split(task.batch):
            condition = encode(vae, task.pixels[rows], batch_size=task.batch)[0]
            latents = solve(
                unet,
                solver,
                draw_noise(rows.tolist(), tuple(condition.shape[1:])).to(device),
                text=task.text[rows].to(device),
                null=null,
                image=condition.to(device),
                steps=sampling.steps,
                mode=sampling.mode,
                scale=sampling.scale,
                image_scale=sampling.image_scale,
                interval=sampling.interval,
            )
            images.append(decode(vae, latents))
        return torch.cat(images)

    return sample


def build_pipeline(task: Task, vae: torch.nn.Module, steps: int) -> Callable:
    """A function that samples the task by the pipeline, all but `steps` at its defaults.

    The weights are in the precision that we compute in, so on a GPU in half.
    """
    half, device = pick_precision(vae.device), vae.device
    vae, unet = (deepcopy(model).to(device, half) for model in (vae, task.unet))
    scheduler = DDIMScheduler.from_pretrained(task.diffusion, subfolder="scheduler")
    pipeline = make_pipeline(vae, unet, scheduler)
    shape = (task.unet.config.out_channels, *[task.pixels.shape[-1] // get_factor(vae)] * 2)

    def sample() -> torch.Tensor:
        images = []
        for rows in torch.arange(len(task.labels)).split(task.batch):
            text = task.text[rows].to(device, half)
            made = pipeline(
                image=task.pixels[rows].float() / 255,
                prompt_embeds=text,
                negative_prompt_embeds=task.null.to(text).expand_as(text),
                num_inference_steps=steps,
                latents=draw_noise(rows.tolist(), shape).to(text),
                output_type="pt",
            ).images
            images.append((made * 255).round().to(torch.uint8).cpu())
        return torch.cat(images)

    return sample


def get_factor(vae: torch.nn.Module) -> int:
    """Pixels per latent."""
    return 2 ** (len(vae.config.block_out_channels) - 1)


class Judge:
    """CLIP, and the real images in its eyes."""

    def __init__(self, task: Task):
        self.task = task
        self.model, _, tokenizer = clip.load_clip(str(MINIATURE / "clip"), device=pick_device())
        prompts = [make_prompt("", name, prefix=PREFIX) for name in task.names]
        self.texts = clip.embed_texts(prompts, self.model, tokenizer)
        self.real = None if task.real is None else self.embed(task.real).numpy()

    def embed(self, pixels: torch.Tensor) -> torch.Tensor:
        size = clip.find_image_size(self.model)
        pixels = torch.nn.functional.interpolate(pixels, (size, size), mode="bicubic")
        return clip.embed_images(pixels, self.model, batch_size=BATCH)

    def measure(self, pixels: torch.Tensor, reference: torch.Tensor) -> dict[str, float]:
        """CLIP's probability and choice of the own class, levels to the reference, Fréchet."""
        features = self.embed(pixels)
        scale = self.model.logit_scale.exp().cpu()
        chances = (scale * features @ self.texts.T).softmax(1)
        labels = self.task.labels
        difference = pixels.float() - reference.float()
        measured = {
            "probability": float(chances[torch.arange(len(labels)), labels].mean()),
            "agreement": float((chances.argmax(1) == labels).float().mean()),
            "levels": float((difference**2).mean().sqrt()),
        }
        if self.real is not None:
            measured["frechet"] = compute_frechet(self.real, features.numpy())
        return measured


def list_variants(default: Sampling) -> list[Sampling]:
    """Numbers of steps, each with other solvers and guidance."""
    changes: list[dict] = [
        {},
        {"karras": True},
        {"order": 3},
        {"scale": 1.0},
        {"interval": (0.3, 5.0)},
    ]
    steps = (5, 8, 10, 15, default.steps)
    return [replace(default, steps=n, **change) for n in steps for change in changes]


def print_quality(name: str, evaluations: int, measured: Mapping[str, float], *more: str) -> None:
    columns = [f"{key} {value:.3f}" for key, value in measured.items()]
    print(f"{name}: {evaluations} evaluations; {'; '.join([*columns, *more])}", flush=True)


def measure_sweep(task: Task, vae: torch.nn.Module, judge: Judge, options) -> None:
    """Print quality and time of each variant; references are shared by equal guidance."""
    references: dict[tuple, torch.Tensor] = {}
    solver = load_solver(DIFFUSION)
    for variant in list_variants(Sampling(options.steps, "text", options.scale, 1.0, BATCH)):
        guidance = (variant.scale, variant.interval)
        if guidance not in references:
            plain = replace(variant, steps=options.reference, order=2, karras=False)
            references[guidance] = build_ours(task, vae, plain)()
        solver = load_solver(DIFFUSION, order=variant.order, karras=variant.karras)
        start = time.perf_counter()
        images = build_ours(task, vae, variant)()
        seconds = f"{time.perf_counter() - start:.1f} s"
        name = f"{variant.steps} steps, order {variant.order}, scale {variant.scale:g}"
        name += ", Karras" * variant.karras + f", {variant.interval}" * bool(variant.interval)
        count = count_evaluations(solver, variant, conditioned=True)
        print_quality(name, count, judge.measure(images, references[guidance]), seconds)


def main() -> None:
    options = parse_arguments()
    vae = load_vae(DIFFUSION, device=pick_device())
    results = options.results
    task = read_task(results, options.images) if results else draw_task(options.images, vae)
    judge = Judge(task)
    ours = Sampling(options.steps, "text", options.scale, 1.0, BATCH)
    theirs = Sampling(options.pipeline_steps, "ip2p", 7.5, 1.5, BATCH)
    name = f"{options.steps} steps in two branches"
    ways = {
        name: build_ours(task, vae, ours),
        PIPELINE: build_pipeline(task, vae, options.pipeline_steps),
    }
    for way, sampling in zip(ways, (ours, theirs), strict=True):
        count = count_evaluations(load_solver(DIFFUSION), sampling, conditioned=True)
        reference = build_ours(task, vae, replace(sampling, steps=options.reference))()
        print_quality(way, count, judge.measure(ways[way](), reference))
    if options.sweep:
        measure_sweep(task, vae, judge, options)
    of = f"sampling of {len(task.labels)} images"
    race(ways, of=of, options=options, goals={PIPELINE: GOAL})


if __name__ == "__main__":
    main()
