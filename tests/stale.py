"""Which rules an edit of the configuration makes stale, by what stages read, without Snakemake."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from mvc.config import params, plan
from mvc.config.decoded import list_run_pixels
from mvc.config.sections import sort_config

# For each rule that the target `all` needs, the rules that read its files.
FEEDS = {
    "images": "captions banks notices unet unet_card unet_report synthetic pretrained mixed real "
    "pixels policies classifiers table oracle quality figure1 figure2 figure5 figure6",
    "captions": "notices embeddings banks synthetic pretrained mixed",
    "embeddings": "notices banks unet unet_report synthetic pretrained mixed figure2 figure6",
    "banks": "unet unet_report synthetic pretrained mixed real figure6",
    "unet": "notices unet_card unet_report synthetic mixed figure2 figure6",
    "unet_card": "",
    "unet_report": "",
    "synthetic": "notices classifiers quality figure1 figure5",
    "pretrained": "classifiers quality figure1 figure5",
    "mixed": "notices classifiers",
    "notices": "table",
    "real": "classifiers",
    "pixels": "policies classifiers",
    "policies": "classifiers",
    "classifiers": "table diagnostics confusion",
    "confusion": "",
    "oracle": "quality",
    "quality": "quality_table",
    "table": "",
    "diagnostics": "",
    "quality_table": "",
    "figure1": "",
    "figure2": "",
    "figure5": "",
    "figure6": "",
}
# The rule that makes a generator's images.
RULES = {"finetuned": "synthetic", "real_vae": "real", "train_vae": "real"}

# Rules with a job for each data set.
BY_DATASET = ("images", "captions", "embeddings", "banks", "unet", "unet_card", "unet_report")
BY_DATASET += ("oracle",)

Job = tuple[str, tuple[tuple[str, str], ...]]


def list_jobs(config: Mapping) -> dict[Job, dict]:
    """What every job reads of the configuration, by its rule and wildcards.

    The estimate is left out: it makes no file that could be stale.
    """
    config, jobs = sort_config(config), {}
    for rule, wildcards in _list_wildcards(config):
        key = (rule, tuple(sorted(wildcards.items())))
        jobs[key] = {}
        if rule != "pixels":  # all that it reads is its resolution, a wildcard
            jobs[key] = params.read(config, rule, wildcards, digest_source=_name_source)
    return jobs


def find_touched(before: Mapping, after: Mapping) -> set[Job]:
    """Jobs that are new in a configuration, or that read other values in it."""
    old, new = list_jobs(before), list_jobs(after)
    return {job for job, cfg in new.items() if repr(old.get(job)) != repr(cfg)}


def name_rules(jobs: Iterable[Job]) -> set[str]:
    return {rule for rule, _ in jobs}


def find_stale(before: Mapping, after: Mapping) -> set[str]:
    """Rules that the target `all` must run again: those touched, and what reads their files.

    A table or the diagnostics are stale by an edit of runs only if those runs stand in them.
    """
    touched = find_touched(before, after)
    runs = {wildcards for rule, wildcards in touched if rule == "classifiers"}
    stale = _follow(name_rules(touched) - {"classifiers"})
    if runs:
        stale |= {"classifiers", "confusion"}
    if runs & set(map(_describe, _list_table_runs(after))):
        stale.add("table")
    if runs & set(map(_describe, plan.list_diagnostic_runs(after))):
        stale.add("diagnostics")
    without_cfg = {"quality_table", "notices", "confusion"}
    return stale & (name_rules({*list_jobs(after)}) | without_cfg) & set(FEEDS)


def _follow(rules: set[str]) -> set[str]:
    reached, queue = set(), list(rules)
    while queue:
        rule = queue.pop()
        if rule not in reached:
            reached.add(rule)
            queue += FEEDS.get(rule, "").split()
    return reached


def _list_wildcards(config: Mapping) -> Iterator[tuple[str, dict[str, str]]]:
    """The rules that have a `cfg`, each with the wildcards of every job."""
    for dataset in config["datasets"]:
        for rule in (*BY_DATASET, "augmented"):
            yield rule, {"dataset": dataset}
        for generator in ("finetuned", "pretrained"):
            yield "quality", {"dataset": dataset, "generator": generator}
    for run in _list_runs(config):
        yield "classifiers", dict(_describe(run))
        for path in list_run_pixels(config, run.dataset, run.model, run.arm):
            yield "pixels", {"dataset": run.dataset, "file": path}
        if plan.find_policies(config, run.dataset, run.arm):
            yield "policies", {"dataset": run.dataset}
    for dataset, generator in _list_image_sets(config):
        for path in plan.list_shards(config, dataset, generator):
            wildcards = {"dataset": dataset, "generator": generator, "shard": Path(path).stem}
            yield RULES.get(generator, generator), wildcards
    for table in plan.list_tables(config):
        yield "table", {"number": table.removeprefix("table")}
    for figure, dataset in plan.choose_figure_datasets(config).items():
        yield figure, {"shown": dataset}
    yield "diagnostics", {}
    yield "comparisons", {"study": "evidence"}


def _list_image_sets(config: Mapping) -> set[tuple[str, str]]:
    """Every set of extra images that runs or reports need: its data set and its generator."""
    sets = {(run.dataset, run.arm) for run in _list_runs(config)}
    extras = {(dataset, plan.read_arm(config, dataset, arm)["extra"]) for dataset, arm in sets}
    reported = {(name, each) for name in config["datasets"] for each in ("finetuned", "pretrained")}
    return reported | {(dataset, extra) for dataset, extra in extras if extra}


def _list_runs(config: Mapping) -> set[plan.Run]:
    return {*_list_table_runs(config), *plan.list_diagnostic_runs(config)}


def _list_table_runs(config: Mapping) -> set[plan.Run]:
    tables = plan.list_tables(config)
    return {run for table in tables for run in plan.list_table_runs(config, table)}


def _describe(run: plan.Run) -> tuple[tuple[str, str], ...]:
    """A run as the wildcards of its job."""
    return tuple(sorted((key, str(value)) for key, value in run._asdict().items()))


def _name_source(loader: str, path: str | None) -> str:
    return f"{loader} {path}"
