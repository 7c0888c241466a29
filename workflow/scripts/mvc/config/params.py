"""What each stage reads of the configuration: its rule's `params.cfg`.

Positive lists: a key that is not listed for a stage is not in its `cfg`, so that an edit of it
leaves the stage fresh. What cannot change a result, such as `unet.processes`, is listed nowhere.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from mvc.config import plan
from mvc.config.catalogue import LOADERS
from mvc.config.rehearsal import PREFIX
from mvc.config.sections import find_instructions, find_seed, merge_section, sort_keys
from mvc.config.selection import has_quota, read_delivered


class Reads(NamedTuple):
    """What a stage reads for a data set."""

    sections: Mapping[str, str]  # space-separated keys, by section
    models: tuple[str, ...] = ()  # foundation models that it opens
    seed: bool = False  # whether it draws random numbers


_SAMPLING = "guidance scale image_scale interval steps order karras batch_size"
_IMAGES = {"synthetic": _SAMPLING, "unet": "resolution", "captions": "prefix"}
_TUNING = (
    "train rank resolution steps steps_per_image batch_size optimizer learning_rate schedule "
    "warmup_steps weight_decay max_grad_norm ema_decay pairing text dropout flip early_stop"
)
_SHEET = "classes images cell"
_SHOWN = Reads({"tables": "digits confidence"})

READS = {
    "captions": Reads(
        {"captions": "file missing prefix describe max_new_tokens num_beams batch_size"},
        ("captioner",),
    ),
    "embeddings": Reads({"embeddings": "batch_size"}, ("clip", "diffusion")),
    "banks": Reads({"banks": "per_real per_class coarse fine rows edits base"}, seed=True),
    "unet": Reads({"unet": _TUNING}, ("diffusion",), seed=True),
    "unet_card": Reads({"unet": _TUNING}, ("clip", "diffusion")),
    "unet_report": Reads({"figures": "samples", "unet": "resolution"}, ("diffusion",), seed=True),
    "synthetic": Reads(_IMAGES, ("diffusion", "clip"), seed=True),
    "pretrained": Reads(_IMAGES, ("diffusion", "clip"), seed=True),
    "mixed": Reads(
        _IMAGES | {"synthetic": f"pretrained_share {_SAMPLING}"}, ("diffusion", "clip"), seed=True
    ),
    "real": Reads({"synthetic": "batch_size", "unet": "resolution"}, ("diffusion",)),
    "augmented": Reads(
        {"augmented": "filters splits format", "banks": "coarse fine"},
        ("clip", "diffusion"),
        seed=True,
    ),
    "policies": Reads(
        {"policies": "file model folds rounds trials kept sub_policies operations draws"}, seed=True
    ),
    "oracle": Reads(
        {"oracle": "resolution steps batch_size learning_rate weight_decay"}, seed=True
    ),
    "quality": Reads({"quality": "images k batch_size"}, ("clip",), seed=True),
    **dict.fromkeys(("classifier", "table", "diagnostics", "comparisons"), _SHOWN),
    "figure1": Reads({"figures": _SHEET}),
    "figure2": Reads(
        {"figures": f"{_SHEET} coarse fine", "unet": "resolution"}, ("diffusion",), seed=True
    ),
    "figure5": Reads({"figures": _SHEET}),
    "figure6": Reads({"figures": _SHEET, "unet": "resolution"}, ("diffusion",), seed=True),
}
# Read by every training of a classifier, that of the policy search included.
TRAINING = (
    "resolution steps epochs batch_size optimizer learning_rate weight_decay max_grad_norm weights "
    "network pad flip cutout"
).split()
# Read by every run.
RUN = ("split", "seed", "augmentation", "extra")
# Read by a run only if its other settings use it.
RUN_WHEN: Mapping[str, Callable[[Mapping], bool]] = {
    "aa": lambda run: run["augmentation"] == "aa",
    "ra": lambda run: run["augmentation"] == "ra",
    "fill": lambda run: run["augmentation"] != "default",
    "per_real": lambda run: bool(run["extra"]),
    "per_class": lambda run: bool(run["extra"]),
    "select": lambda run: bool(run["extra"]) and has_quota(run),
    "steps_as_with": lambda run: not run["extra"],
    "strategy": lambda run: _has_strategy(run),
    "phase2": lambda run: _has_strategy(run) and run["strategy"] == "two_phase",
    "rsp": lambda run: bool(run["extra"]) and run["strategy"] == "rsp",
}
# Rules whose results depend on the rounding of the processor's instructions.
COMPUTING = frozenset(
    "captions embeddings unet unet_report synthetic pretrained mixed real policies classifiers "
    "classifier oracle quality".split()
)
# Sections that the estimate reads for each data set.
ESTIMATED = ("images", "captions", "banks", "unet", "synthetic")


def read(
    config: Mapping,
    rule: str,
    wildcards: Mapping[str, str],
    *,
    digest_source: Callable[[str, str | None], str],
) -> dict:
    """Read what a rule's job gets as `params.cfg`.

    Args:
        wildcards: of the job. A rule without `dataset` reads settings of all data sets, or of one
            that the configuration names.
        digest_source: returns a digest of the files of a loader and its path.
    """
    dataset = wildcards.get("dataset")
    settings = _read_rule(config, rule, wildcards, digest_source)
    if rule in COMPUTING and (held := find_instructions(config, dataset)):
        settings |= {"instructions": held}
    return settings


def _read_rule(
    config: Mapping,
    rule: str,
    wildcards: Mapping[str, str],
    digest_source: Callable[[str, str | None], str],
) -> dict:
    dataset = wildcards.get("dataset")
    match rule:
        case "images":
            return read_images(config, dataset, digest_source)
        case "synthetic" | "pretrained" | "mixed":
            return read_synthetic(config, rule, dataset)
        case "unet" if merge_section(config, "unet", dataset)["early_stop"]:
            return read_stage(config, rule, dataset, "validation")  # which chooses the weights
        case "real":
            return read_real(config, dataset, wildcards["generator"])
        case "policies":
            return read_policies(config, dataset)
        case "augmented":
            return read_stage(config, rule, dataset) | read_delivered(config, dataset)
        case "classifiers":
            return read_run(config, dataset, wildcards["model"], wildcards["arm"])
        case "table":
            return read_table(config, f"table{wildcards['number']}")
        case "repetitions":
            return read_repetitions(config)
        case "comparisons":
            return read_comparisons(config, wildcards["study"])
        case "models":
            return read_models(config)
        case "estimate" | "rehearsal":
            return read_estimate(config)
        case "diagnostics":
            return _pick(config["tables"], ("digits", "confidence"))
        case _ if rule.startswith("figure"):
            return read_figure(config, rule)
        case _:
            return read_stage(config, rule, dataset)


def read_stage(config: Mapping, stage: str, dataset: str, *more: str) -> dict:
    """What a stage of `READS` reads for a data set, and `more` keys, in one dictionary."""
    reads, settings = READS[stage], {}
    for section, keys in reads.sections.items():
        settings |= _pick(merge_section(config, section, dataset), (*keys.split(), *more))
    if reads.seed:
        settings["seed"] = find_seed(config, dataset)
    return settings | _pick(config["models"], reads.models)


def read_images(
    config: Mapping, dataset: str, digest_source: Callable[[str, str | None], str]
) -> dict:
    """Settings of a data set's images: what its loader reads, and a digest of the files there.

    Args:
        digest_source: see `read`.
    """
    section = merge_section(config, "images", dataset)
    loader, path = (config["datasets"][dataset][key] for key in ("loader", "path"))
    return {
        **_pick(section, (*LOADERS[loader].keys, "seed")),
        "loader": loader,
        "path": path,
        "files": digest_source(loader, path),
    }


def read_synthetic(config: Mapping, stage: str, dataset: str) -> dict:
    """Settings of a generator's images, by the rule that makes them."""
    generator = "finetuned" if stage == "synthetic" else stage
    return read_stage(config, stage, dataset) | {"generator": generator}


def read_real(config: Mapping, dataset: str, generator: str) -> dict:
    """Settings of real images in a synthetic set's place: of the VAE, where they go through it."""
    vae = {} if generator == "real" else read_stage(config, "real", dataset)
    return {"generator": generator, **vae}


def read_policies(config: Mapping, dataset: str) -> dict:
    """Settings of the search for policies, and of how its classifier is trained."""
    policies = merge_section(config, "policies", dataset)
    section = merge_section(config, "classifiers", dataset)
    model = policies["model"]
    length = _pick(policies, ("steps", "epochs"))
    training = {**section, "network": model, **section["models"].get(model, {}), **length}
    kept = _pick(training, (*TRAINING, "fill"))
    return {**read_stage(config, "policies", dataset), "training": kept}


def read_run(config: Mapping, dataset: str, model: str, arm: str) -> dict:
    """Settings of a run, whatever its seed: its arm's and model's own values over the section's."""
    section = merge_section(config, "classifiers", dataset)
    run = {**section, **section["models"][model], **plan.read_arm(config, dataset, arm)}
    used = (key for key, is_used in RUN_WHEN.items() if is_used(run))
    network = {"network": run.get("network") or model}
    return _pick(run, (*TRAINING, *RUN, *used)) | network


def read_table(config: Mapping, table: str) -> dict:
    """Settings of a table of the paper, and its rows."""
    shown = _pick(config["tables"], ("digits", "confidence"))
    return {**shown, "number": table, "rows": plan.list_rows(config, table)}


def read_repetitions(config: Mapping) -> dict:
    """Settings of the repetitions of Table 1, and the instruction set of each of its data sets."""
    held = {name: find_instructions(config, name) for name, _ in plan.list_rows(config, "table1")}
    shown = _pick(config["tables"], ("digits", "confidence", "repetition"))
    return {**shown, "instructions_of": held}


def read_figure(config: Mapping, figure: str) -> dict:
    """Settings of a figure, and of sampling where it samples images."""
    dataset = plan.choose_figure_datasets(config)[figure]
    settings = read_stage(config, figure, dataset)
    if READS[figure].models:
        synthetic = merge_section(config, "synthetic", dataset)
        settings["synthetic"] = _pick(synthetic, _SAMPLING.split())
    return settings


def read_comparisons(config: Mapping, study: str) -> dict:
    """Settings of a study's comparisons, and what is each data set's own."""
    comparisons = config["evidence"]["comparisons"]
    return {
        "comparisons": [[name, sort_keys(each)] for name, each in comparisons.items()],
        "split": plan.STUDIES[study],
        "datasets": config["datasets"],
        **_pick(config["tables"], ("digits", "confidence")),
    }


def read_models(config: Mapping) -> dict:
    """The configuration, and the networks whose published weights classifiers start from."""
    runs = _read_table_runs(config).values()
    pretrained = {run["network"] for run in runs if run["weights"] == "pretrained"}
    return {**config, "networks": sorted(pretrained)}


def read_estimate(config: Mapping) -> dict:
    """Settings of all that tables and figures are made of, to estimate what they cost."""
    shown = plan.choose_figure_datasets(config)
    datasets = {
        dataset: {
            **_pick(own, ("loader", "path")),
            **{section: merge_section(config, section, dataset) for section in ESTIMATED},
            "shown": dataset in (shown["figure1"], shown["figure5"]),
            "keep": merge_section(config, "classifiers", dataset)["keep"],
            "runs": [],
        }
        for dataset, own in config["datasets"].items()
        if not dataset.startswith(PREFIX)
    }
    for run, settings in _read_table_runs(config).items():
        datasets[run.dataset]["runs"].append(settings)
    for dataset, own in datasets.items():
        arms = {run["augmentation"] for run in own["runs"]}
        own["policies"] = read_policies(config, dataset) if "faa" in arms else None
    return {**config["estimate"], "models": config["models"], "datasets": datasets}


def _read_table_runs(config: Mapping) -> dict[plan.Run, dict]:
    """The settings of each run of the tables, in the order of their files."""
    runs = {run for name in config["datasets"] for run in plan.list_dataset_runs(config, name)}
    return {
        run: read_run(config, run.dataset, run.model, run.arm)
        for run in sorted(runs, key=lambda run: run.path)
    }


def _has_strategy(run: Mapping) -> bool:
    """Whether a run reads its strategy: of extra images, or of as many steps as with them."""
    return bool(run["extra"]) or run["steps_as_with"] is not None


def _pick(settings: Mapping, keys: Iterable[str]) -> dict:
    """The settings of some keys, in their own order."""
    wanted = set(keys)
    return {key: value for key, value in settings.items() if key in wanted}
