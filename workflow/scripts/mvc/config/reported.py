"""What the report shows: the runs and image sets that tables need anyway, and what is there.

Pure functions of the configuration; standard library only.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from mvc.config import plan
from mvc.config.rehearsal import PREFIX
from mvc.config.sections import find_instructions, merge_section
from mvc.config.selection import read_selection
from mvc.config.table_columns import TABLES

GENERATORS = ("finetuned", "mixed", "pretrained")  # in the order of the report
# Sections whose settings are a data set's own or those of all.
SECTIONS = (
    "images captions banks unet synthetic policies classifiers augmented quality tables".split()
)


def list_reported(config: Mapping) -> list[str]:
    """The data sets of the report: all but rehearsals."""
    return [name for name in config["datasets"] if not name.startswith(PREFIX)]


def find_first_table(config: Mapping, dataset: str) -> str | None:
    """The first table that a data set has rows in: the one that its report needs."""
    rows = merge_section(config, "tables", dataset)["rows"]
    return next((table for table in TABLES if rows.get(table)), None)


def list_needed_files(config: Mapping) -> list[str]:
    """Files that the report is made from: what the first table of each data set needs."""
    return [file for dataset in list_reported(config) for file in _list_needed(config, dataset)]


def _list_needed(config: Mapping, dataset: str) -> Iterator[str]:
    table = find_first_table(config, dataset)
    if table is None:
        return
    runs = plan.list_dataset_runs(config, dataset, [table])
    yield from (run.path for run in runs)
    yield from plan.list_notice_files(config, runs)
    yield f"results/{dataset}/images/train.parquet"
    extras = {plan.read_arm(config, dataset, run.arm)["extra"] for run in runs}
    generators = [generator for generator in GENERATORS if generator in extras]
    if generators:
        yield f"results/{dataset}/captions.parquet"
        yield f"results/{dataset}/bank.parquet"
    for generator in generators:
        yield from plan.list_shards(config, dataset, generator)
    if {"finetuned", "mixed"} & set(generators):
        yield f"results/{dataset}/unet/loss.csv"


def list_optional_files(config: Mapping) -> list[str]:
    """Files that the report shows where they are there, and that it must not have made."""
    needed = set(list_needed_files(config))
    return [
        file
        for dataset in list_reported(config)
        for file in _list_optional(config, dataset)
        if file not in needed
    ]


def _list_optional(config: Mapping, dataset: str) -> Iterator[str]:
    folder = f"results/{dataset}"
    yield from (run.path for run in plan.list_dataset_runs(config, dataset))
    for name in ("images/train.parquet", "images/report.json", "captions.parquet", "bank.parquet"):
        yield f"{folder}/{name}"
    for name in ("notices.json", "unet/loss.csv", "unet/samples.png"):
        yield f"{folder}/{name}"
    for generator in GENERATORS:
        yield from plan.list_shards(config, dataset, generator)
        yield f"{folder}/quality/{generator}.json"
    yield from (f"{folder}/augmented/README.md", f"{folder}/classifier/README.md")


def list_templates(scripts: Path) -> list[str]:
    """The templates of the report's pages."""
    return sorted(str(file) for file in (scripts / "mvc/report/templates").iterdir())


def list_vocabulary(config: Mapping) -> list[str]:
    """The vocabulary of CLIP, where it is not CLIP's own."""
    file = Path(config["models"]["clip"]) / "bpe.txt.gz"
    return [str(file)] if file.is_file() else []


def list_states(config: Mapping) -> list[list]:
    """Name and time of the optional files that are there: a change of them makes a new report."""
    files = (Path(file) for file in list_optional_files(config))
    return [[str(file), file.stat().st_mtime_ns] for file in files if file.is_file()]


def read_report(config: Mapping) -> dict:
    """What the report reads: of each data set its tables, image sets and settings."""
    shown = {key: config["tables"][key] for key in ("digits", "confidence")}
    datasets = {name: _read_dataset(config, name) for name in list_reported(config)}
    return {**shown, "name": config["name"], "datasets": datasets}


def _read_dataset(config: Mapping, dataset: str) -> dict:
    rows = merge_section(config, "tables", dataset)["rows"]
    tables = [table for table in TABLES if rows.get(table)]
    settings = {section: merge_section(config, section, dataset) for section in SECTIONS}
    own = {"models": config["models"], "instructions": find_instructions(config, dataset)}
    return {
        "generator": plan.choose_generator(config, dataset),
        "clip": config["models"]["clip"],
        "rows": {table: [[dataset, model] for model in rows[table]] for table in tables},
        "runs": {
            table: [run.path for run in plan.list_dataset_runs(config, dataset, [table])]
            for table in tables
        },
        "shards": {name: plan.list_shards(config, dataset, name) for name in GENERATORS},
        "selection": read_selection(config, dataset),
        "settings": {**own, **settings, "datasets": dict(config["datasets"][dataset])},
    }
