"""Which runs, image sets, tables and reports a configuration asks for.

Pure functions of the configuration and the values of a rule's wildcards.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import NamedTuple

from mvc.config.catalogue import LOADERS
from mvc.config.sections import merge_section
from mvc.config.subsets import Side, pair_subsets
from mvc.config.table_columns import TABLES, choose_arms

# The split that each study compares on: settings are never chosen on test images.
STUDIES = {"sweep": "validation", "headroom": "test", "evidence": "test"}
# Generators whose images are further real ones.
REAL = ("real", "real_vae")


class Run(NamedTuple):
    """One training of a classifier; its arm is an augmentation with or without extra images."""

    dataset: str
    model: str
    arm: str
    seed: int

    @property
    def path(self) -> str:
        """The file of its accuracy."""
        return f"results/{self.dataset}/classifiers/{self.model}/{self.arm}/{self.seed}.json"


def choose_generator(config: Mapping, dataset: str) -> str:
    """The generator of the images that arms call synthetic."""
    share = merge_section(config, "synthetic", dataset)["pretrained_share"]
    return "finetuned" if share == 0 else "pretrained" if share == 1 else "mixed"


def list_shards(config: Mapping, dataset: str, generator: str) -> list[str]:
    """The files of one generator's images, in the order of the images."""
    shards = merge_section(config, "synthetic", dataset)["shards"]
    folder = f"results/{dataset}/synthetic/{generator}"
    return [f"{folder}/{shard}-of-{shards}.parquet" for shard in range(shards)]


def read_arm(config: Mapping, dataset: str, arm: str) -> dict:
    """An arm's own values, its extra images named by their generator."""
    own = dict(merge_section(config, "classifiers", dataset)["arms"][arm])
    if own["extra"] == "synthetic":
        own["extra"] = choose_generator(config, dataset)
    return own


def list_extra_images(config: Mapping, dataset: str, arm: str) -> list[str]:
    """The shards that an arm adds to the real images; none for an arm of real images alone."""
    extra = read_arm(config, dataset, arm)["extra"]
    return list_shards(config, dataset, extra) if extra else []


def list_synthetic_images(config: Mapping, dataset: str) -> list[str]:
    """The shards of the images that arms call synthetic."""
    return list_shards(config, dataset, choose_generator(config, dataset))


def find_training_bank(config: Mapping, dataset: str) -> str | None:
    """The bank that fine-tuning reads: none where the text is each image's own caption."""
    text = merge_section(config, "unet", dataset)["text"]
    return f"results/{dataset}/bank.parquet" if text == "bank" else None


def find_evaluation_images(config: Mapping, dataset: str) -> str:
    """The images that accuracy is measured on."""
    split = merge_section(config, "classifiers", dataset)["split"]
    return f"results/{dataset}/images/{split}.parquet"


def find_validation_images(config: Mapping, dataset: str) -> str | None:
    """The images by which a run is chosen: none where accuracy is measured on them anyway."""
    split = merge_section(config, "classifiers", dataset)["split"]
    return None if split == "validation" else f"results/{dataset}/images/validation.parquet"


def list_tuning(config: Mapping, dataset: str) -> list[str]:
    """Losses and configuration of the fine-tuned U-Net; none where no synthetic image is its."""
    tuned = choose_generator(config, dataset) != "pretrained"
    return [f"results/{dataset}/unet/{n}" for n in ("loss.csv", "config.json")] if tuned else []


def list_notice_files(config: Mapping, runs: Iterable[Run]) -> list[str]:
    """Files that say what to know about the data sets of these runs, and their generators."""
    images = [f"results/{run.dataset}/images/report.json" for run in runs]
    generated = [
        f"results/{run.dataset}/notices.json"
        for run in runs
        if read_arm(config, run.dataset, run.arm)["extra"] == choose_generator(config, run.dataset)
    ]
    return list(dict.fromkeys(images + generated))


def find_policies(config: Mapping, dataset: str, arm: str) -> str | None:
    """The policies of an arm whose augmentation was searched for, or drawn at random."""
    augmentation = read_arm(config, dataset, arm)["augmentation"]
    searched = augmentation in ("faa", "random")
    return f"results/{dataset}/policies/{augmentation}.json" if searched else None


def has_further_images(config: Mapping, dataset: str) -> bool:
    """Whether a data set can have further real images: not where training uses all of them."""
    per_class = LOADERS[config["datasets"][dataset]["loader"]].per_class
    return per_class or merge_section(config, "images", dataset)["labels_per_class"] is not None


def list_rows(config: Mapping, table: str) -> list[list[str]]:
    """A table's rows, each a data set and a classifier."""
    return [
        [dataset, model]
        for dataset in config["datasets"]
        for model in merge_section(config, "tables", dataset)["rows"].get(table, [])
    ]


def list_columns(config: Mapping, table: str, dataset: str) -> list[str]:
    """The arms of a data set that a table shows.

    Where all synthetic images are fine-tuned ones, their arm stands for `aa+finetuned` in Table 4,
    so that no run is made twice.
    """
    available = set(merge_section(config, "classifiers", dataset)["arms"])
    if table == "table4":
        pure = choose_generator(config, dataset) == "finetuned" and "aa+syn" in available
        available.discard("aa+finetuned" if pure else "aa+syn")
    return list(choose_arms(TABLES[table], available).values())


def list_diagnostic_arms(config: Mapping, dataset: str) -> list[str]:
    """The arms of no table, and those that they are compared with."""
    every = merge_section(config, "classifiers", dataset)["arms"]
    in_tables = {arm for table in TABLES.values() for arm in table.columns}
    outside = [arm for arm in every if arm not in in_tables]
    bases = {"ra", "ra+syn"} | {arm.split("+")[0] for arm in outside}
    bases |= {"faa"} if "random" in every else set()
    return [arm for arm in every if arm in outside or arm in bases]


def list_table_runs(config: Mapping, table: str) -> list[Run]:
    """The runs that a table is made from.

    Raises:
        ValueError: no data set has rows in it; says where to add some.
    """
    rows = list_rows(config, table)
    if not rows:
        raise ValueError(
            f"no data set has rows in {table}; add some to a data set's tables.rows, for instance "
            f"{table}: [{next(iter(config['classifiers']['models']))}]"
        )
    return _list_runs(config, rows, partial(list_columns, config, table))


def list_dataset_runs(config: Mapping, dataset: str, tables: Iterable[str] = TABLES) -> list[Run]:
    """The runs of a data set that tables are made from, each once; none where it has no rows."""
    rows = merge_section(config, "tables", dataset)["rows"]
    runs = []
    for table in tables:
        pairs = [(dataset, model) for model in rows.get(table, [])]
        runs += _list_runs(config, pairs, partial(list_columns, config, table))
    return list(dict.fromkeys(runs))


def list_seeds(config: Mapping, dataset: str, model: str, arm: str) -> list[Run]:
    """The runs of one arm, which differ in their seed."""
    seeds = merge_section(config, "classifiers", dataset)["seeds"]
    return [Run(dataset, model, arm, seed) for seed in seeds]


def list_confusion_files(config: Mapping) -> list[str]:
    """The confusion matrices of all arms that stand in a table or in the diagnostics."""
    runs = list_diagnostic_runs(config)
    runs += [run for table in list_tables(config) for run in list_table_runs(config, table)]
    return list(dict.fromkeys(run.path.rpartition("/")[0] + "/confusion.png" for run in runs))


def list_diagnostic_runs(config: Mapping) -> list[Run]:
    """Runs outside the tables, of the rows of Table 1, and those that they are compared with."""
    rows = list_rows(config, "table1")
    return _list_runs(config, rows, partial(list_diagnostic_arms, config))


def list_comparison_runs(config: Mapping, study: str) -> list[Run]:
    """The runs that a study compares; `sweep` is measured on validation images alone.

    Raises:
        ValueError: there is nothing to compare, the runs are measured on another split, or a
            comparison names an unknown classifier or arm.
    """
    runs = []
    for side in _list_sides(config):
        section = merge_section(config, "classifiers", side.dataset)
        _check_side(section, side, study)
        runs += [Run(*side, seed) for seed in section["seeds"]]
    return runs


def list_tables(config: Mapping) -> list[str]:
    """The tables that have rows."""
    return [table for table in TABLES if list_rows(config, table)]


def choose_figure_datasets(config: Mapping) -> dict[str, str]:
    """The data set that each figure shows: the first one where none is named."""
    first = next(iter(config["datasets"]))
    return {figure: name or first for figure, name in config["figures"]["datasets"].items()}


def name_folder(config: Mapping) -> str:
    """The folder of tables and figures below results/: `photos/` with `name: photos`, else none."""
    return f"{config['name']}/" if config["name"] else ""


def list_table_files(config: Mapping) -> list[str]:
    """The tables and figures, and the reports of the U-Nets that they need."""
    folder, shown = f"results/{name_folder(config)}", choose_figure_datasets(config)
    tables = [f"{folder}tables/{table}.csv" for table in list_tables(config)]
    figures = [f"{folder}figures/{figure}.png" for figure in shown]
    finetuned = {
        dataset
        for dataset in config["datasets"]
        for run in list_dataset_runs(config, dataset)
        if read_arm(config, dataset, run.arm)["extra"] in ("finetuned", "mixed")
    }
    return tables + figures + _list_unet_reports(config, finetuned | set(shown.values()))


def list_demo_files(config: Mapping) -> list[str]:
    """Table 1, and what the generators of its data sets draw."""
    datasets = {dataset for dataset, _ in list_rows(config, "table1")}
    table = f"results/{name_folder(config)}tables/table1.csv"
    return [table, *_list_unet_reports(config, datasets)]


def list_report_files(config: Mapping) -> list[str]:
    """List reports other than the tables; diagnostics only where one of their arms is run."""
    folder = f"results/{name_folder(config)}tables"
    diagnostics = [f"{folder}/diagnostics.csv"] if list_diagnostic_runs(config) else []
    unets = _list_unet_reports(config, config["datasets"])
    unets += [f"results/{dataset}/unet/README.md" for dataset in config["datasets"]]
    return [*diagnostics, f"{folder}/quality.csv", *unets, *list_confusion_files(config)]


def _list_unet_reports(config: Mapping, datasets: Collection[str]) -> list[str]:
    """The reports of data sets' fine-tuning, in the configuration's order."""
    wanted = [dataset for dataset in config["datasets"] if dataset in datasets]
    return [f"results/{dataset}/unet/samples.png" for dataset in wanted]


def _list_runs(
    config: Mapping, rows: Iterable[Iterable[str]], choose_arms: Callable[[str], list[str]]
) -> list[Run]:
    """The runs of pairs of data set and classifier, of the arms chosen for the data set."""
    return [
        Run(dataset, model, arm, seed)
        for dataset, model in rows
        for section in [merge_section(config, "classifiers", dataset)]
        for arm in choose_arms(dataset)
        if section["arms"][arm]["extra"] not in REAL or has_further_images(config, dataset)
        for seed in section["seeds"]
    ]


def _list_sides(config: Mapping) -> list[Side]:
    """The two sides of every comparison on every labelled subset, each side once."""
    pairs = [
        pair
        for name, comparison in config["evidence"]["comparisons"].items()
        for pair in pair_subsets(name, comparison, config["datasets"])
    ]
    if not pairs:
        raise ValueError(
            "evidence.comparisons is empty; add a configuration file that has some, such as "
            "--configfile config/evidence.yaml, or for the targets sweep and headroom "
            "config/sweep.yaml and config/headroom.yaml"
        )
    return list(dict.fromkeys(side for pair in pairs for side in (pair.treated, pair.control)))


def _check_side(section: Mapping, side: Side, study: str) -> None:
    split = STUDIES[study]
    if section["split"] != split:
        raise ValueError(
            f"classifiers.split = {section['split']} ({side.dataset}); must be {split} for the "
            f"target {study}"
        )
    for key, name in (("models", side.model), ("arms", side.arm)):
        if name not in section[key]:
            raise ValueError(
                f"evidence.comparisons: {name!r}; must be one of classifiers.{key} "
                f"({side.dataset}): {', '.join(section[key])}"
            )
