"""What a run would cost before anything is spent: images, jobs, operations, hours, disk.

Operations are counted on the models' architectures (`flops`), hours are operations by the
throughput of one device. Left out, being small: tables, figures, quality, the oracle.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from mvc.core.counts import count_bank
from mvc.core.markdown import format_count, format_table
from mvc.estimate import architectures, flops

PNG = 2.0  # bytes a pixel of a stored colour photograph, about
TOKENS, HALF = 77, 2  # context tokens of a caption; bytes of a number of its embedding
WEIGHT = 4  # bytes of a weight of the fine-tuned U-Net


@dataclass(frozen=True)
class Size:
    """How large a data set is once it is split."""

    labelled: tuple[int, ...]  # training images of each class: all that is captioned and learned
    test: int
    side: int  # pixels of a stored synthetic image

    @property
    def train(self) -> int:
        return sum(self.labelled)

    @property
    def classes(self) -> int:
        return len(self.labelled)


@dataclass(frozen=True)
class Line:
    """One stage of one data set."""

    dataset: str
    stage: str
    jobs: int
    items: int
    unit: str
    operations: float | int
    disk: float | int = 0  # bytes


@lru_cache
def caption_cost(captioner: str, new_tokens: int, num_beams: int) -> int:
    """Operations of one caption."""
    model = architectures.captioner(captioner)
    return flops.caption(model, new_tokens=new_tokens, num_beams=num_beams)


@lru_cache
def text_cost(clip: str) -> int:
    """Operations of one caption's embedding."""
    return flops.text_tower(architectures.clip(clip))


@lru_cache
def look_cost(clip: str) -> int:
    """Operations of CLIP's look at one image."""
    return flops.image_tower(architectures.clip(clip))


@lru_cache
def unet_cost(diffusion: str, resolution: int) -> tuple[int, int, int]:
    """Operations of one evaluation of the U-Net, the number of its weights, its text width."""
    model = architectures.unet(diffusion)
    factor = flops.latent_factor(architectures.vae(diffusion))
    forward = flops.unet_forward(model, resolution=resolution, factor=factor)
    return forward, sum(p.numel() for p in model.parameters()), model.config.cross_attention_dim


@lru_cache
def vae_cost(diffusion: str, resolution: int) -> tuple[int, int]:
    """Operations of encoding and of decoding an image."""
    vae = architectures.vae(diffusion)
    encode = flops.vae_encode(vae, resolution=resolution)
    return encode, flops.vae_decode(vae, resolution=resolution)


@lru_cache
def classifier_cost(network: str, classes: int, side: int) -> int:
    """Operations of a classifier's forward pass."""
    model = architectures.classifier(network, classes, size=side)
    return flops.classifier_forward(model, size=side)


def lines(name: str, own: Mapping, size: Size, models: Mapping[str, str]) -> list[Line]:
    """All stages of one data set.

    Args:
        name, own: of the data set: its sections, and `runs`, one mapping of settings a run.
        size: its images.
        models: folder or hub name of `captioner`, `clip` and `diffusion`.
    """
    k, res = size.train, own["unet"]["resolution"]
    how = own["captions"]
    caption = (models["captioner"], how["max_new_tokens"], how["num_beams"])
    one = 0 if how["file"] else caption_cost(*caption)
    images = synthetic_images(own, size)
    forward, weights, width = unet_cost(models["diffusion"], res)
    text = text_cost(models["clip"])
    encode = vae_cost(models["diffusion"], res)[0] * k * (2 if own["unet"]["flip"] else 1)
    pairs = own["unet"]["steps"] * own["unet"]["batch_size"]
    tune = Line(
        name,
        "unet",
        1,
        pairs,
        "image pairs",
        flops.training_step(forward) * pairs + encode,
        weights * WEIGHT,
    )
    return [
        Line(name, "captions", 1, k, "images", one * k),
        Line(name, "embeddings", 1, k, "captions", text * k, TOKENS * width * HALF * k),
        *([tune] if {"finetuned", "mixed"} & generators(own) else []),
        *(_generation(name, g, own, size, models) for g in sorted(generators(own))),
        *([_policies(name, own["policies"], size)] if own["policies"] else []),
        _classifiers(name, own["runs"], size, images / k),
    ]


def synthetic_images(own: Mapping, size: Size) -> int:
    """Images of one synthetic set: the entries of the bank."""
    return count_bank(size.labelled, own["banks"]["per_real"])


def generators(own: Mapping) -> set[str]:
    """The sets of extra images that any run is trained on."""
    return {run["extra"] for run in own["runs"] if run["extra"]}


def images_seen(run: Mapping, size: Size, per_real: float | int) -> float | int:
    """Images that a run is trained on, repetitions included (see `training.strategies`)."""
    if run["epochs"] is None:
        return run["steps"] * run["batch_size"]
    strategy = run.get("strategy")
    extra = (run.get("per_real") or per_real) if run["extra"] else run.get("steps_as_with") or 0
    if strategy == "rsp":
        return run["epochs"] * size.train
    last = run["phase2"]["share"] if strategy == "two_phase" else 0
    return run["epochs"] * size.train * (1 + extra + last)


def _generation(name: str, generator: str, own: Mapping, size: Size, models: Mapping) -> Line:
    section, res, diffusion = own["synthetic"], own["unet"]["resolution"], models["diffusion"]
    (encode, decode), share = vae_cost(diffusion, res), {"finetuned": 0, "pretrained": 1}
    images = synthetic_images(own, size)
    if generator in ("real", "real_vae", "train_vae"):
        each = 0 if generator == "real" else encode + decode
    else:
        conditioned = 1 - share.get(generator, section["pretrained_share"])
        each = flops.sampling(
            unet_cost(diffusion, res)[0],
            decode,
            steps=section["steps"],
            mode=section["guidance"],
            encode=round(conditioned * encode),
        )
        each += look_cost(models["clip"])
    disk = images * size.side**2 * PNG
    stage = f"synthetic, {generator}"
    return Line(name, stage, section["shards"], images, "images", each * images, disk)


def _policies(name: str, cfg: Mapping, size: Size) -> Line:
    run = {**cfg["training"], "extra": None}
    forward = _forward(run, size)
    seen = images_seen(run, size, 0)
    if run["epochs"] is not None:
        seen *= (cfg["folds"] - 1) / cfg["folds"]
    tried = cfg["rounds"] * cfg["trials"] * cfg["draws"] * size.train
    total = flops.training_step(forward) * seen * cfg["folds"] + forward * tried
    return Line(name, "policies", 1, cfg["folds"] * cfg["rounds"] * cfg["trials"], "trials", total)


def _classifiers(name: str, runs: Iterable[Mapping], size: Size, per_real: float | int) -> Line:
    runs, total = list(runs), 0.0
    for run in runs:
        forward = _forward(run, size)
        seen = images_seen(run, size, per_real)
        total += flops.training_step(forward) * seen + forward * (size.test + size.train)
    return Line(name, "classifiers", len(runs), len(runs), "trainings", total)


def _forward(run: Mapping, size: Size) -> int:
    return classifier_cost(run["network"], size.classes, run["resolution"] or size.side)


def page(rows: Sequence[Line], throughput: float | int, measured: str) -> str:
    """The estimate for a person, in Markdown.

    Args:
        throughput: operations a second of one device.
        measured: on what, for instance `measured on this CPU`.
    """

    def row(name: str, part: Sequence[Line], *items: str) -> list[str]:
        operations = sum(line.operations for line in part)
        hours, disk = operations / throughput / 3600, sum(line.disk for line in part)
        jobs = format_count(sum(line.jobs for line in part))
        return [
            name,
            jobs,
            *items,
            *(_short(value) for value in (operations / 1e15, hours, disk / 1e9)),
        ]

    headings = ["10^15 operations", "device hours", "GB on disk"]
    stages, names = dict.fromkeys(r.stage for r in rows), dict.fromkeys(r.dataset for r in rows)
    by_stage = [[r for r in rows if r.stage == stage] for stage in stages]
    by_set = [[r for r in rows if r.dataset == name] for name in names]
    items = [f"{format_count(sum(r.items for r in part))} {part[0].unit}" for part in by_stage]
    first = [row(*given) for given in zip(stages, by_stage, items, strict=True)]
    second = [row(name, part) for name, part in zip(names, by_set, strict=True)]
    note = (
        f"Device hours at {throughput / 1e12:,.2f} × 10^12 operations a second, {measured}; a "
        "multiplication and its addition count as two. Small networks and batches run below that "
        "rate: take the hours for a lower bound. `estimate.teraflops` names another machine's "
        "rate. Left out: downloads, reading and writing, figures, and the arms that stand in no "
        "table."
    )
    parts = [
        "# What the tables of this configuration would cost",
        format_table(["stage", "jobs", "items", *headings], [*first, row("all", rows, "")]),
        format_table(["data set", "jobs", *headings], second),
        note,
    ]
    return "\n\n".join(parts) + "\n"


def _short(value: float | int) -> str:
    """Two significant digits of a small number, one decimal of a larger one."""
    return f"{value:,.1f}" if value >= 1 or not value else f"{float(f'{value:.2g}'):f}".rstrip("0")
