"""Cost of a run before it starts: images, jobs, operations, hours, disk.

Operations are counted on the models' architectures (`flops`); hours are operations divided by the
throughput of one device. Tables, figures, quality and the oracle cost little and are left out; the
sets of images that figures show are not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from mvc.core.counts import OTHERS, count_extra, count_steps
from mvc.core.markdown import format_count, format_table
from mvc.estimate import architectures, flops
from mvc.synthetic.sampler import count_evaluations, read_sampling

PNG = 2.0  # approximate bytes per pixel of a stored colour photograph
TOKENS = 77  # context tokens of a caption
HALF = 2  # bytes per number of its embedding
WEIGHT = 4  # bytes per weight of the fine-tuned U-Net and of a classifier
NOTE = (
    "Device hours at {throughput:,.2f} × 10^12 operations per second, {measured}; a multiplication "
    "and its addition count as two. Small networks and batches run below that rate: take the hours "
    "as a lower bound. `estimate.teraflops` sets another machine's rate. Left out: downloads, "
    "reading and writing, drawing figures, watching a fine-tuning (`unet.validation`), arms of no "
    "table."
)


@dataclass(frozen=True)
class Size:
    """Size of a data set once it is split."""

    # Training images of each class: all that captions, generator and classifiers see.
    labelled: tuple[int, ...]
    test: int
    side: int  # pixels of a stored synthetic image
    names: tuple[str, ...] = ()  # of the classes; empty where they are not known beforehand

    @property
    def train(self) -> int:
        return sum(self.labelled)

    @property
    def classes(self) -> int:
        return len(self.labelled)


@dataclass(frozen=True)
class Line:
    """Cost of one stage of one data set."""

    dataset: str
    stage: str
    jobs: int
    items: int
    unit: str
    operations: float | int
    disk: float | int = 0  # bytes


@lru_cache
def estimate_caption(captioner: str, new_tokens: int, num_beams: int) -> int:
    """Estimate the operations of one caption."""
    model = architectures.build_captioner(captioner)
    return flops.count_caption(model, new_tokens=new_tokens, num_beams=num_beams)


@lru_cache
def estimate_text(clip: str) -> int:
    """Estimate the operations of one caption's embedding."""
    return flops.count_text_tower(architectures.build_clip(clip))


@lru_cache
def estimate_image_tower(clip: str) -> int:
    """Estimate the operations of CLIP's image tower on one image."""
    return flops.count_image_tower(architectures.build_clip(clip))


@lru_cache
def estimate_unet(diffusion: str, resolution: int) -> tuple[int, int, int]:
    """Estimate the operations of one evaluation of the U-Net; its weights and text width."""
    model = architectures.build_unet(diffusion)
    factor = flops.compute_latent_factor(architectures.build_vae(diffusion))
    forward = flops.count_unet_forward(model, resolution=resolution, factor=factor)
    return forward, sum(p.numel() for p in model.parameters()), model.config.cross_attention_dim


@lru_cache
def estimate_vae(diffusion: str, resolution: int) -> tuple[int, int]:
    """Estimate the operations of encoding and of decoding an image."""
    vae = architectures.build_vae(diffusion)
    encode = flops.count_vae_encode(vae, resolution=resolution)
    return encode, flops.count_vae_decode(vae, resolution=resolution)


@lru_cache
def estimate_classifier(network: str, classes: int, side: int) -> tuple[int, int]:
    """Estimate the operations of a classifier's forward pass; its weights."""
    model = architectures.build_classifier(network, classes, size=side)
    weights = sum(p.numel() for p in model.parameters())
    return flops.count_classifier_forward(model, size=side), weights


def estimate_stages(
    name: str, settings: Mapping, size: Size, models: Mapping[str, str]
) -> list[Line]:
    """Estimate all stages of one data set.

    Args:
        name: of the data set.
        settings: its sections, `runs`, the settings of each run, `keep` of their weights, and
            `shown`, whether Figure 1 or 5 shows its synthetic images.
        size: its images.
        models: folder or hub name of `captioner`, `clip` and `diffusion`.
    """
    generators = list_generators(settings)
    lines = _estimate_prompts(name, settings, size, models)
    if {"finetuned", "mixed"} & generators:
        lines.append(_estimate_finetuning(name, settings, size, models))
    for generator in sorted(generators):
        lines.append(_estimate_generation(name, generator, settings, size, models))
    if settings["policies"]:
        lines.append(_estimate_policies(name, settings["policies"], size))
    extra = count_synthetic_images(settings, size)
    return [*lines, _estimate_classifiers(name, settings, size, extra)]


def _estimate_prompts(name: str, settings: Mapping, size: Size, models: Mapping) -> list[Line]:
    """Estimate captions and their embeddings, one of each per training image."""
    k, cfg = size.train, settings["captions"]
    caption = 0
    if cfg["describe"] and not cfg["file"]:
        caption = estimate_caption(models["captioner"], cfg["max_new_tokens"], cfg["num_beams"])
    text = estimate_text(models["clip"])
    _, _, width = estimate_unet(models["diffusion"], settings["unet"]["resolution"])
    return [
        Line(name, "captions", 1, k, "images", caption * k),
        Line(name, "embeddings", 1, k, "captions", text * k, TOKENS * width * HALF * k),
    ]


def _estimate_finetuning(name: str, settings: Mapping, size: Size, models: Mapping) -> Line:
    cfg, diffusion = settings["unet"], models["diffusion"]
    forward, weights, _ = estimate_unet(diffusion, cfg["resolution"])
    encode, _ = estimate_vae(diffusion, cfg["resolution"])
    views = size.train * (2 if cfg["flip"] else 1)
    pairs = count_steps(size.train, cfg["steps"], cfg["steps_per_image"]) * cfg["batch_size"]
    operations = flops.count_training_step(forward) * pairs + encode * views
    return Line(name, "unet", 1, pairs, "image pairs", operations, weights * WEIGHT)


def count_synthetic_images(settings: Mapping, size: Size) -> int:
    """Count the images of one synthetic set, one for each entry of the bank."""
    return _count_extra(settings["banks"], size, "banks")


def _count_extra(section: Mapping, size: Size, name: str) -> int:
    """Count the extra images of all classes; unknown classes take the names that a mapping has."""
    quota = {key: section.get(key) for key in ("per_real", "per_class")}
    mapped = isinstance(quota["per_real"], Mapping)
    named = [each for each in quota["per_real"] if each != OTHERS] if mapped else []
    names = size.names or [*named, *(f"\0{i}" for i in range(size.classes - len(named)))]
    return sum(
        count_extra(dict(zip(names, size.labelled, strict=True)), **quota, section=name).values()
    )


def list_generators(settings: Mapping) -> set[str]:
    """List the sets of extra images that runs are trained on, or Figures 1 and 5 show."""
    shown = {"finetuned", "pretrained"} if settings["shown"] else set()
    return shown | {run["extra"] for run in settings["runs"] if run["extra"]}


def count_images_seen(run: Mapping, size: Size, synthetic: int) -> float | int:
    """Count the images that a run is trained on, with repetitions: see `training.strategies`.

    Args:
        synthetic: images of a synthetic set, of which the run uses all or its `per_real`.
    """
    if run["epochs"] is None:
        return run["steps"] * run["batch_size"]
    strategy = run.get("strategy")
    extra = size.train * (run.get("steps_as_with") or 0)
    if run["extra"]:
        chosen = run.get("per_real") is not None or run.get("per_class") is not None
        extra = _count_extra(run, size, "classifiers") if chosen else synthetic
    if strategy == "rsp":
        return run["epochs"] * size.train
    phase2 = run["phase2"]["share"] if strategy == "two_phase" else 0
    return run["epochs"] * (size.train * (1 + phase2) + extra)


def _estimate_generation(
    name: str, generator: str, settings: Mapping, size: Size, models: Mapping
) -> Line:
    cfg, resolution = settings["synthetic"], settings["unet"]["resolution"]
    encode, decode = estimate_vae(models["diffusion"], resolution)
    images = count_synthetic_images(settings, size)
    if generator == "real":
        each = 0
    elif generator in ("real_vae", "train_vae"):
        each = encode + decode
    else:
        share = {"finetuned": 0, "pretrained": 1}.get(generator, cfg["pretrained_share"])
        forward, _, _ = estimate_unet(models["diffusion"], resolution)
        sampling = read_sampling(cfg)
        solver = architectures.build_solver(
            models["diffusion"], order=sampling.order, karras=sampling.karras
        )
        with_image, without = (
            count_evaluations(solver, sampling, conditioned=conditioned)
            for conditioned in (True, False)
        )
        each = estimate_image_tower(models["clip"]) + flops.count_sampling(
            forward,
            decode,
            evaluations=(1 - share) * with_image + share * without,
            encode=round((1 - share) * encode),
        )
    disk = images * size.side**2 * PNG
    stage = f"synthetic, {generator}"
    return Line(name, stage, cfg["shards"], images, "images", each * images, disk)


def _estimate_policies(name: str, cfg: Mapping, size: Size) -> Line:
    run = {**cfg["training"], "extra": None}
    forward, _ = _estimate_network(run, size)
    seen = count_images_seen(run, size, 0)
    if run["epochs"] is not None:
        seen *= (cfg["folds"] - 1) / cfg["folds"]
    tried = cfg["rounds"] * cfg["trials"] * cfg["draws"] * size.train
    total = flops.count_training_step(forward) * seen * cfg["folds"] + forward * tried
    return Line(name, "policies", 1, cfg["folds"] * cfg["rounds"] * cfg["trials"], "trials", total)


def _estimate_classifiers(name: str, settings: Mapping, size: Size, synthetic: int) -> Line:
    """Estimate the runs; `keep: best` keeps the weights of all until the best one is chosen."""
    runs, total, disk = settings["runs"], 0.0, 0
    for run in runs:
        forward, weights = _estimate_network(run, size)
        seen = count_images_seen(run, size, synthetic)
        total += flops.count_training_step(forward) * seen + forward * (size.test + size.train)
        disk += 0 if settings["keep"] == "none" else weights * WEIGHT
    return Line(name, "classifiers", len(runs), len(runs), "trainings", total, disk)


def _estimate_network(run: Mapping, size: Size) -> tuple[int, int]:
    return estimate_classifier(run["network"], size.classes, run["resolution"] or size.side)


def format_page(lines: Sequence[Line], throughput: float | int, measured: str) -> str:
    """Format the estimate as Markdown, by stage and by data set.

    Args:
        throughput: operations per second of one device.
        measured: source of the throughput, such as `measured on this CPU`.
    """
    headings = ["10^15 operations", "device hours", "GB on disk"]
    stages = []
    for name, part in _group(lines, "stage").items():
        items = f"{format_count(sum(line.items for line in part))} {part[0].unit}"
        jobs, *numbers = _format_sums(part, throughput)
        stages.append([name, jobs, items, *numbers])
    jobs, *numbers = _format_sums(lines, throughput)
    stages.append(["all", jobs, "", *numbers])
    datasets = [
        [name, *_format_sums(part, throughput)] for name, part in _group(lines, "dataset").items()
    ]
    parts = [
        "# What the tables of this configuration would cost",
        format_table(["stage", "jobs", "items", *headings], stages),
        format_table(["data set", "jobs", *headings], datasets),
        NOTE.format(throughput=throughput / 1e12, measured=measured),
    ]
    return "\n\n".join(parts) + "\n"


def _group(lines: Sequence[Line], field: str) -> dict[str, list[Line]]:
    groups = {}
    for line in lines:
        groups.setdefault(getattr(line, field), []).append(line)
    return groups


def _format_sums(lines: Sequence[Line], throughput: float | int) -> list[str]:
    """Format the sums of some lines: jobs, 10^15 operations, device hours, GB on disk."""
    operations = sum(line.operations for line in lines)
    numbers = (
        operations / 1e15,
        operations / throughput / 3600,
        sum(line.disk for line in lines) / 1e9,
    )
    return [format_count(sum(line.jobs for line in lines)), *map(_format_short, numbers)]


def _format_short(value: float | int) -> str:
    """Format a number below 1 with two significant digits, a larger one with one decimal."""
    return f"{value:,.1f}" if value >= 1 or not value else f"{float(f'{value:.2g}'):f}".rstrip("0")
