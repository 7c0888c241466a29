"""Fine-tuning and sampling on the real architectures at full size: a GPU's memory and time.

    python benchmarks/real_models.py [--sides 256 512 --batch 32 --output results/real-models.md]

Memory stands beside what `estimate` counts. Seconds stand beside those of a step as diffusers'
`train_instruct_pix2pix.py` takes it and of its pipeline at its defaults, all in one run and in the
same half precision. What exceeds the memory is halved, as a run does it. Weights are random, on
which neither memory nor time depend, unless `--diffusion` and `--clip` name checkpoints. The tables
are those of docs/real-models.md.
"""

import argparse
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "workflow/scripts"), str(ROOT / "tests")]

import real_shapes
import torch
from accelerate import Accelerator
from accelerate.utils import release_memory
from guidance import load_widened_unet
from mvc.core.atomic import write_text
from mvc.core.device import has_exceeded_memory, pick_device
from mvc.core.markdown import format_table
from mvc.estimate.memory import count_kept
from mvc.models.clip import find_text_width
from mvc.models.stable_diffusion import load_solver
from mvc.synthetic.sampler import Sampling, count_evaluations
from mvc.unet.memory import Memory
from mvc.unet.trainer import Trainer
from race import clock, format_size, parse_options
from results import describe_run
from sampling import Task, build_ours, build_pipeline
from training_step import (
    Models,
    build_draw,
    build_script_step,
    build_trainer,
    draw_pixels,
    encode_png,
    load_models,
)

MINIATURE = ROOT / "resources/miniature"
NONE = "\N{EN DASH}"
# What is fine-tuned, and whether with checkpointing.
WAYS = (("lora", False), ("lora", True), ("full", False), ("full", True))
TRAINING = "px|trained|checkpointing|average|pairs at once|GB, counted|GB, measured|time of a step"
SAMPLING = "px|images by|U-Net evaluations|images at once|GB, measured|time of an image"
PAGE = """\
# Real models on {device}

Written by `benchmarks/real_models.py`. Peak memory is all that the card held, the process's own and
that of others included; {dash} is what does not fit.

{facts}

## Fine-tuning: a step of {batch} pairs

{training}

By diffusers: as its `train_instruct_pix2pix.py`, which encodes images and text in each step.

## Sampling: {images} images

{sampling}
"""


@dataclass(frozen=True)
class Measured:
    """A call: its items at once, its median seconds, its peak memory in GB (None on a CPU)."""

    at_once: int
    seconds: float
    memory: float | None


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--diffusion", help="folder or hub name; default: random weights")
    parser.add_argument("--clip", help="as models.clip; default: random weights")
    parser.add_argument("--sides", type=int, nargs="+", default=[256, 512], help="pixels")
    parser.add_argument("--batch", type=int, default=32, help="pairs of a step")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--steps", type=int, default=25, help="of our sampling")
    parser.add_argument("--scale", type=float, default=7.5)
    parser.add_argument("--pipeline-steps", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path, default=ROOT / "results/real-models.md")
    shipped = dict(diffusion=str(MINIATURE / "stable-diffusion"), clip=str(MINIATURE / "clip"))
    small = dict(sides=[32], batch=2, images=2, steps=1, pipeline_steps=2, repeats=1)
    return parse_options(parser, **shipped, **small)


def measure(
    build: Callable[[int], Callable], *, most: int, repeats: int, accelerator: Accelerator
) -> Measured | None:
    """Measure calls of what `build` makes for so many items at once, after a first call.

    Args:
        most: items at once; half as many each time that they exceed the memory.
        accelerator: holds on to what it prepared until it is told to let go.

    Returns:
        None where not even one fits.
    """
    at_once = most
    while at_once:
        accelerator.free_memory()
        release_memory()  # that of what it let go
        try:
            return Measured(at_once, *_measure_calls(build(at_once), repeats))
        except (MemoryError, RuntimeError) as error:
            if not isinstance(error, MemoryError) and not has_exceeded_memory(error):
                raise
        at_once //= 2
    return None


def _measure_calls(run: Callable, repeats: int) -> tuple[float, float | None]:
    run()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    seconds = statistics.median(clock(run)[0] for _ in range(repeats))
    return seconds, measure_peak()


def measure_peak() -> float | None:
    """Measure what the GPU held at most, in GB: tensors and caches, and what else is on it."""
    if not torch.cuda.is_available():
        return None
    free, there = torch.cuda.mem_get_info()
    besides = there - free - torch.cuda.memory_reserved()
    return (besides + torch.cuda.max_memory_reserved()) / 1e9


def measure_training(options: argparse.Namespace, models: Models) -> Iterator[list[str]]:
    """Rows of fine-tuning at `options.resolution`: ours in each way, then that of the script."""
    side, pixels = str(options.resolution), draw_pixels(options.resolution)
    draw = build_draw(options, models, pixels)
    move_encoders(models, torch.device("cpu"))  # as the stage does, once all is encoded
    for train, checkpointing in WAYS:
        named = f"lora, rank {options.rank}" if train == "lora" else train
        keys = [side, named, "yes" if checkpointing else "no"]
        yield [*keys, *measure_way(options, models, draw, train, checkpointing)]
    move_encoders(models, models.accelerator.device)
    files = [encode_png(image) for image in pixels]
    found = measure(
        lambda n: build_script_step(options, models, files, parts=options.batch // n),
        most=options.batch,
        repeats=options.repeats,
        accelerator=models.accelerator,
    )
    at_once = str(found.at_once) if found else NONE
    yield [side, "full, by diffusers", "no", "GPU", at_once, NONE, *format_measured(found)]


def measure_way(
    options: argparse.Namespace, models: Models, draw: Callable, train: str, checkpointing: bool
) -> list[str]:
    """Cells of one way to fine-tune: place of the average, pairs at once, memory, seconds."""
    trainers: list[Trainer] = []
    memory = Memory(checkpointing=checkpointing)

    def build(_: int) -> Callable:
        trainer = build_trainer(options, models, train=train, rank=options.rank, memory=memory)
        trainers.append(trainer)
        return lambda: trainer.update(draw())

    repeated = dict(repeats=options.repeats, accelerator=models.accelerator)
    found = measure(build, most=1, **repeated)  # the trainer itself comes down to what fits
    if found is None:
        return [NONE, NONE, NONE, *format_measured(found)]
    (trainer,) = trainers
    average = "GPU" if has_average_beside(trainer) else "CPU"
    pairs = trainer.fit.micro_batch or options.batch
    way = dict(optimizer="adamw", average=average, checkpointing=checkpointing)
    kept = count_kept(options.diffusion, options.resolution, train, options.rank)
    counted = format_memory(kept.add_up(pairs, **way))
    return [average, str(pairs), counted, *format_measured(found)]


def move_encoders(models: Models, device: torch.device) -> None:
    for model in (models.vae, models.clip):
        model.to(device)


def has_average_beside(trainer: Trainer) -> bool:
    """Whether the averaged weights lie on the device of the weights."""
    return trainer.ema.shadow_params[0].device == trainer.parameters[0].device


def measure_sampling(options: argparse.Namespace, models: Models) -> Iterator[list[str]]:
    """Rows of sampling at `options.resolution`: ours, then diffusers' pipeline at its defaults."""
    n, side, vae = options.images, options.resolution, models.vae
    options.width = find_text_width(models.clip)
    task = Task(
        text=torch.randn(n, 77, options.width),
        null=torch.randn(77, options.width),
        pixels=draw_pixels(side)[:n],
        labels=torch.zeros(n, dtype=torch.int64),
        names=["noise"],
        unet=load_widened_unet(options, vae).cpu(),
        diffusion=options.diffusion,
    )
    ours = Sampling(options.steps, "text", options.scale, 1.0, n)
    theirs = Sampling(options.pipeline_steps, "ip2p", 7.5, 1.5, n)

    def build_ours_of(batch: int) -> Callable:
        task.batch = batch
        return build_ours(task, vae, ours)

    def build_theirs_of(batch: int) -> Callable:
        task.batch = batch
        task.unet.cpu()  # theirs is a copy
        return build_pipeline(task, vae, options.pipeline_steps)

    for name, sampling, build in (
        (f"{options.steps} steps in two branches", ours, build_ours_of),
        (f"diffusers' pipeline, {options.pipeline_steps} steps", theirs, build_theirs_of),
    ):
        found = measure(build, most=n, repeats=options.repeats, accelerator=models.accelerator)
        solver = load_solver(options.diffusion)
        evaluations = str(count_evaluations(solver, sampling, conditioned=True))
        at_once = str(found.at_once) if found else NONE
        yield [str(side), name, evaluations, at_once, *format_measured(found, items=n)]


def format_measured(found: Measured | None, *, items: int = 1) -> list[str]:
    """Cells of memory, and of the time of one of the items."""
    if found is None:
        return [NONE, NONE]
    return [format_memory(found.memory), format_size(found.seconds / items, "s")]


def format_memory(memory: float | None) -> str:
    return NONE if memory is None else f"{memory:.1f}"


def measure_all(options: argparse.Namespace) -> str:
    """Measure all sizes and format the page."""
    models = load_models(options)
    training, sampled = [], []
    for side in options.sides:
        options.resolution = side
        for rows, measured in ((training, measure_training), (sampled, measure_sampling)):
            for row in measured(options, models):
                print(" | ".join(row), flush=True)
                rows.append(row)
    device = "no GPU"
    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory / 1e9
        device = f"{torch.cuda.get_device_name()} ({memory:.1f} GB)"
    weights = f"- Weights: {options.weights}"
    return PAGE.format(
        device=device,
        dash=NONE,
        facts="\n".join([*describe_run(), weights]),
        batch=options.batch,
        training=format_table(TRAINING.split("|"), training, left=4),
        images=options.images,
        sampling=format_table(SAMPLING.split("|"), sampled, left=2),
    )


def main() -> None:
    options = parse_arguments()
    pick_device()  # sets TF32, as every stage does
    with TemporaryDirectory() as folder:
        named = [name for name in (options.diffusion, options.clip) if name]
        options.weights = f"of {' and '.join(named)}" if named else "random"
        options.diffusion = options.diffusion or make(real_shapes.stable_diffusion, folder, "sd")
        options.clip = options.clip or make(real_shapes.clip, folder, "clip")
        page = measure_all(options)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    write_text(page, options.output)
    print(f"\n{page}\n{options.output}")


def make(write: Callable[[Path], Path], folder: str, name: str) -> str:
    """Write a model of random weights, and return its folder."""
    place = Path(folder) / name
    place.mkdir()
    return str(write(place))


if __name__ == "__main__":
    main()
