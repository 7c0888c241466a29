import json
import os
import sys
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

SCRIPTS = Path(workflow.basedir) / "workflow" / "scripts"
sys.path.insert(0, str(SCRIPTS))

from mvc.comparisons.compare import pairs
from mvc.console.endings import Jobs
from mvc.config.layouts import TABLES, arms
from mvc.images.manifests import source_digest
from mvc.config.catalogue import LOADERS
from mvc.config.code import code_digest
from mvc.core.hashing import settings_digest
from mvc.config.check import STUDIES, faults, missing_files
from mvc.config.expand import expanded
from mvc.core.atomic import check_folder

# Files of a model folder that are read; its card is not.
MODEL_SUFFIXES = (".json", ".safetensors", ".txt", ".gz")
# Sections that the estimate reads for each data set.
ESTIMATED = ("images", "captions", "banks", "unet", "synthetic")
# Environment variable with digests of what a run had read when it started, for its jobs.
STARTED_WITH = "MVC_STARTED_WITH"
# What a run says at its end.
JOBS = Jobs()
logger.addHandler(JOBS)
# Generators whose images are further real ones.
REAL = ("real", "real_vae")


def checked(settings, schema, more=lambda settings: []):
    """The settings, if they keep to a schema and to more; else all their faults in one error."""
    text = (Path(workflow.basedir) / "workflow/schemas" / schema).read_text(
        encoding="utf-8"
    )
    if lines := faults(settings, yaml.safe_load(text)) or more(settings):
        raise WorkflowError("\n  ".join(["The configuration has faults:", *lines]))
    return settings


def ordered(value):
    """A value with the keys of its dicts sorted, at every depth: Snakemake compares their text."""
    if isinstance(value, dict):
        return {key: ordered(value[key]) for key in sorted(value)}
    return value


config = checked(expanded(config), "config.schema.yaml", missing_files)
# Data sets and comparisons keep their order, which is that of the tables' rows.
for section in config:
    if section not in ("datasets", "evidence"):
        config[section] = ordered(config[section])
for dataset in config["datasets"]:
    config["datasets"][dataset] = ordered(config["datasets"][dataset])


def digests(settings):
    """Digests of a configuration, by section and by data set; the order of data sets counts."""
    parts = {**settings, "datasets": list(settings["datasets"])}
    parts |= {f"datasets.{name}": own for name, own in settings["datasets"].items()}
    return {part: settings_digest({part: value}) for part, value in parts.items()}


def started_with(settings):
    """What this run had read when it started; a job, which reads all anew, has it from the run.

    What is recorded of a result is what the run had read: a job that finds another configuration is
    refused here, one that finds other code by `stage_log`. A job whose executor passes no
    environment on is not checked.
    """
    now = digests(settings)
    if workflow.is_main_process:
        return {"config": now, "code": {}}
    started = json.loads(os.environ.get(STARTED_WITH, "null"))
    started = started or {"config": now, "code": {}}
    was = started["config"]
    if edited := sorted(
        part for part in {*was, *now} if was.get(part) != now.get(part)
    ):
        raise WorkflowError(
            f"The section {', '.join(edited)} of the configuration was edited after this run had "
            "started: stop it, and start snakemake again; what is finished is kept."
        )
    return started


STARTED = started_with(config)


wildcard_constraints:
    dataset=r"[A-Za-z0-9][\w.-]*",
    shard=r"\d+",
    shards=r"\d+",
    seed=r"\d+",


# The data set that each figure shows.
SHOWN = {
    figure: dataset or next(iter(config["datasets"]))
    for figure, dataset in config["figures"]["datasets"].items()
}


def check_folders():
    """Stop a run before its first job if the folders that it writes to take no file."""
    for folder in ("results", "logs"):
        try:
            check_folder(folder)
        except OSError as error:
            raise WorkflowError(error.strerror) from error


def code(script):
    """Digest of `script` and every `mvc` module it imports, as they were when the run started."""
    if script not in STARTED["code"]:
        STARTED["code"][script] = code_digest(SCRIPTS / script)
    if workflow.is_main_process:
        os.environ[STARTED_WITH] = json.dumps(STARTED)
    return STARTED["code"][script]


def merged(section, dataset):
    """One section of the config, the data set's own values over it, and its root seed."""
    if dataset not in config["datasets"]:
        raise WorkflowError(
            f"no data set {dataset!r}; there are {', '.join(config['datasets'])} "
            "(is its --configfile named?)"
        )
    own = config["datasets"][dataset]
    seed = own.get("seed", config["seed"])
    return {**config[section], **own.get(section, {}), "seed": seed}


def settings(section, *models):
    """The `cfg` of a stage, which is its section for the data set, and the models it opens."""
    chosen = {name: config["models"][name] for name in models}
    return lambda wildcards: {**merged(section, wildcards.dataset), **chosen}


def source(wildcards):
    """Settings of a data set's images: what its loader reads, and a digest of the files there."""
    section = merged("images", wildcards.dataset)
    own = config["datasets"][wildcards.dataset]
    read = LOADERS[own["loader"]].keys
    return {
        **{key: section[key] for key in (*read, "seed")},
        "loader": own["loader"],
        "path": own["path"],
        "files": source_digest(own["loader"], own["path"]),
    }


def unet_settings(wildcards):
    """Settings of fine-tuning: what changes its result, so not the number of processes."""
    section = merged("unet", wildcards.dataset)
    section.pop("processes")
    return {**section, "diffusion": config["models"]["diffusion"]}


def processes(wildcards):
    """The processes of a data set's fine-tuning, each with a GPU and a CPU core."""
    return merged("unet", wildcards.dataset)["processes"]


def unet_memory(wildcards, attempt):
    """Memory of fine-tuning in MB: of the state that is saved, and of what each process holds."""
    return (16_000 + 16_000 * processes(wildcards)) * attempt


def sampling(dataset):
    """How a data set's images are sampled: what changes an image, so not the number of shards."""
    section = merged("synthetic", dataset)
    for key in ("shards", "pretrained_share"):
        section.pop(key)
    resolution = merged("unet", dataset)["resolution"]
    diffusion = config["models"]["diffusion"]
    return {**section, "resolution": resolution, "diffusion": diffusion}


def synthetic_settings(generator):
    """Settings of one generator's images."""

    def chosen(wildcards):
        share = merged("synthetic", wildcards.dataset)["pretrained_share"]
        own = {"pretrained_share": share} if generator == "mixed" else {}
        own["prefix"] = merged("captions", wildcards.dataset)["prefix"]
        own["clip"] = config["models"]["clip"]
        return {**sampling(wildcards.dataset), **own, "generator": generator}

    return chosen


def real_settings(wildcards):
    """Settings of real images in a synthetic set's place: of the VAE, where they go through it."""
    own = {"generator": wildcards.generator}
    if wildcards.generator == "real":
        return own
    keys = ("diffusion", "resolution", "batch_size")
    return own | {key: sampling(wildcards.dataset)[key] for key in keys}


def vae_files(wildcards):
    """The files of the model that holds the VAE, where real images go through it."""
    return [] if wildcards.generator == "real" else model_files("diffusion")


def synthetic_generator(dataset):
    """The generator of the images that arms call synthetic."""
    share = merged("synthetic", dataset)["pretrained_share"]
    return "finetuned" if share == 0 else "pretrained" if share == 1 else "mixed"


def synthetic_images(wildcards):
    """The shards of the images that arms call synthetic."""
    return shards(wildcards.dataset, synthetic_generator(wildcards.dataset))


def own_policies(wildcards):
    """A person's own file of policies for a data set, where there is one."""
    return merged("policies", wildcards.dataset)["file"] or []


def search_settings(dataset):
    """Settings of the search for policies: its section, and how its classifier is trained."""
    policies = merged("policies", dataset)
    section = merged("classifiers", dataset)
    own = {"network": policies["model"], **section["models"].get(policies["model"], {})}
    unread = ("models", "arms", "seeds", "split", "seed", "strategy", "phase2", "rsp")
    unread += ("per_real", "select", "steps_as_with", "ra", "aa")
    length = {key: policies.pop(key) for key in ("steps", "epochs")}
    training = {**section, **own, **length}
    training = {key: value for key, value in training.items() if key not in unread}
    return {**policies, "training": training}


def policy_settings(wildcards):
    """Settings of the search of a rule's wildcards."""
    return search_settings(wildcards.dataset)


def own_captions(wildcards):
    """A person's own caption file of a data set, where there is one."""
    return merged("captions", wildcards.dataset)["file"] or []


def model_files(*models):
    """The files of models that are on this disk, so that a changed model is noticed."""
    files = []
    for name in (config["models"][model] for model in models):
        folder, file = Path(name), name.partition("/")[2]
        if folder.is_dir():
            files += [str(f) for f in sorted(folder.rglob("*")) if f.is_file()]
        elif file.endswith(".safetensors") and Path(file).is_file():
            files.append(file)  # architecture/file of open_clip
    return [file for file in files if file.endswith(MODEL_SUFFIXES)]


def shards(dataset, generator):
    """The shards of one synthetic set, in the order of their images."""
    of = merged("synthetic", dataset)["shards"]
    return [
        f"results/{dataset}/synthetic/{generator}/{shard}-of-{of}.parquet"
        for shard in range(of)
    ]


def arm_settings(dataset, arm):
    """An arm's own values, its extra images named by their generator."""
    own = dict(merged("classifiers", dataset)["arms"][arm])
    if own["extra"] == "synthetic":
        own["extra"] = synthetic_generator(dataset)
    return own


def run_settings(dataset, model, arm):
    """Settings of one run: its arm's and model's own values, and nothing that it does not read."""
    section = merged("classifiers", dataset)
    models, _, _ = (section.pop(key) for key in ("models", "arms", "seeds"))
    run = {**section, **models[model], **arm_settings(dataset, arm)}
    extra, augmentation = run["extra"], run["augmentation"]
    strategy = run["strategy"] if extra or run["steps_as_with"] is not None else None
    unread = {
        "ra": augmentation != "ra",
        "aa": augmentation != "aa",
        "fill": augmentation == "default",
        "per_real": not extra,
        "select": not extra or run["per_real"] is None,
        "steps_as_with": bool(extra),
        "strategy": not strategy,
        "phase2": strategy != "two_phase",
        "rsp": strategy != "rsp" or not extra,
    }
    own = {"network": run.get("network") or model}
    return {key: v for key, v in run.items() if not unread.get(key)} | own


def classifier_settings(wildcards):
    """Settings of the run of a rule's wildcards."""
    return run_settings(wildcards.dataset, wildcards.model, wildcards.arm)


def evaluation_split(wildcards):
    """The split that accuracy is measured on."""
    split = merged("classifiers", wildcards.dataset)["split"]
    return f"results/{wildcards.dataset}/images/{split}.parquet"


def extra_images(wildcards):
    """The shards that an arm adds to the real images; none for an arm of real images alone."""
    extra = arm_settings(wildcards.dataset, wildcards.arm)["extra"]
    return shards(wildcards.dataset, extra) if extra else []


def policy_file(wildcards):
    """The policies of an arm whose augmentation was searched for, or drawn at random."""
    augmentation = arm_settings(wildcards.dataset, wildcards.arm)["augmentation"]
    if augmentation not in ("faa", "random"):
        return []
    return f"results/{wildcards.dataset}/policies/{augmentation}.json"


def weights_files(wildcards):
    """The files of the weights that a classifier starts from, where they are on this disk."""
    run = run_settings(wildcards.dataset, wildcards.model, wildcards.arm)
    return local_files(run["weights"])


def search_weights(wildcards):
    """The files of the weights that the search's classifier starts from."""
    return local_files(search_settings(wildcards.dataset)["training"]["weights"])


def local_files(named):
    """A file, or the files of a model's folder; none for a name that is neither."""
    place = Path(named or "nothing named")
    if place.is_dir():
        return [str(f) for f in sorted(place.iterdir()) if f.suffix in MODEL_SUFFIXES]
    return [named] if place.is_file() else []


def has_extra(dataset):
    """Whether a data set can have further real images: one of which all are used has none."""
    per_class = LOADERS[config["datasets"][dataset]["loader"]].per_class
    return per_class or merged("images", dataset)["labels_per_class"] is not None


def rows(table):
    """A table's rows, as pairs of data set and classifier."""
    return [
        [dataset, model]
        for dataset in config["datasets"]
        for model in merged("tables", dataset)["rows"].get(table, [])
    ]


def columns(table, dataset):
    """The arms of a data set that a table shows.

    The arm of synthetic images is Table 4's of fine-tuned ones, where they all are: no run twice.
    """
    own = set(merged("classifiers", dataset)["arms"])
    if table == "table4":
        pure = synthetic_generator(dataset) == "finetuned" and "aa+syn" in own
        own.discard("aa+finetuned" if pure else "aa+syn")
    return list(arms(TABLES[table], own).values())


def runs(pairs, chosen):
    """The classifier runs of pairs of data set and classifier, of the arms `chosen` for the set."""
    return [
        f"results/{dataset}/classifiers/{model}/{arm}/{seed}.json"
        for dataset, model in pairs
        for section in [merged("classifiers", dataset)]
        for arm in chosen(dataset)
        if section["arms"][arm]["extra"] not in REAL or has_extra(dataset)
        for seed in section["seeds"]
    ]


def table_runs(wildcards):
    """What a table is made of."""
    table = f"table{wildcards.number}"
    if not rows(table):
        raise WorkflowError(
            f"no data set stands in {table}; add it to a data set's tables.rows, for instance "
            f"{table}: [{next(iter(config['classifiers']['models']))}]"
        )
    return runs(rows(table), lambda dataset: columns(table, dataset))


def table_settings(wildcards):
    """Settings of a table, and the rows that it is to have."""
    table = f"table{wildcards.number}"
    keys = ("digits", "confidence")
    own = {key: config["tables"][key] for key in keys}
    return {**own, "number": table, "rows": rows(table)}


def tables_wanted():
    """The tables that have rows, and the figures."""
    tables = [f"results/tables/{table}.csv" for table in TABLES if rows(table)]
    return tables + [f"results/figures/{figure}.png" for figure in SHOWN]


def diagnostic_arms(dataset):
    """The arms that stand in no table, and those that they are compared with."""
    every = merged("classifiers", dataset)["arms"]
    known = {arm for table in TABLES.values() for arm in table.columns}
    own = [arm for arm in every if arm not in known]
    bases = {"ra", "ra+syn"} | {arm.split("+")[0] for arm in own}
    bases |= {"faa"} if "random" in every else set()
    return [arm for arm in every if arm in own or arm in bases]


def diagnostic_runs():
    """Runs outside the tables, of the rows of Table 1, and those that they are compared with."""
    return runs(rows("table1"), diagnostic_arms)


def reports_wanted():
    """The reports besides the tables: diagnostics only where some arm of theirs is run."""
    diagnostics = ["results/tables/diagnostics.csv"] if diagnostic_runs() else []
    return [*diagnostics, "results/tables/quality.csv"]


def figure2_settings():
    """Settings of Figure 2: its own, and how images of the data set shown are sampled."""
    return figure_settings("figure2", ("classes", "images", "cell", "coarse", "fine"))


def figure6_settings():
    """Settings of Figure 6: its own, and how images of the data set shown are sampled."""
    return figure_settings("figure6", ("classes", "images", "cell"))


def figure_settings(figure, keys):
    """Settings of a figure for which images are sampled."""
    own = {key: config["figures"][key] for key in keys}
    synthetic = sampling(SHOWN[figure])
    shared = {key: synthetic.pop(key) for key in ("resolution", "diffusion", "seed")}
    return {**own, **shared, "synthetic": synthetic}


def classifier_runs():
    """What the tables are made of, each run once."""
    in_tables = (runs(rows(t), lambda d, t=t: columns(t, d)) for t in TABLES)
    return sorted({run for made in in_tables for run in made})


def compared():
    """The two sides of every comparison on every labelled subset, each side once."""
    try:
        found = [
            pair
            for name, comparison in config["evidence"]["comparisons"].items()
            for pair in pairs(name, comparison, config["datasets"])
        ]
    except ValueError as error:
        raise WorkflowError(str(error)) from error
    if not found:
        raise WorkflowError(
            "evidence.comparisons is empty; lay a configuration over it that has some, such as "
            "--configfile config/evidence.yaml, or for the targets sweep and headroom "
            "config/sweep.yaml and config/headroom.yaml"
        )
    return dict.fromkeys(
        side for pair in found for side in (pair.treated, pair.control)
    )


def comparison_runs(wildcards):
    """The runs that are compared; to choose settings (sweep) on validation images alone."""
    split = STUDIES[wildcards.study]
    found = []
    for dataset, model, arm in compared():
        section = merged("classifiers", dataset)
        if section["split"] != split:
            raise WorkflowError(
                f"classifiers.split = {section['split']} ({dataset}): the target {wildcards.study} "
                f"is of {split} images"
            )
        for key, name in (("models", model), ("arms", arm)):
            if name not in section[key]:
                raise WorkflowError(
                    f"evidence.comparisons: {name!r} is none of classifiers.{key} ({dataset}): "
                    f"{', '.join(section[key])}"
                )
        found += [
            f"results/{dataset}/classifiers/{model}/{arm}/{seed}.json"
            for seed in section["seeds"]
        ]
    return found


def comparison_settings(wildcards):
    """Settings of the comparisons, and what is each data set's own."""
    return {
        "comparisons": [
            [name, ordered(comparison)]
            for name, comparison in config["evidence"]["comparisons"].items()
        ],
        "split": STUDIES[wildcards.study],
        "datasets": config["datasets"],
        **{key: config["tables"][key] for key in ("digits", "confidence")},
    }


def estimate_settings():
    """Settings of all stages and runs that the tables are made of, to estimate what they cost."""
    datasets = {
        dataset: {
            **{key: config["datasets"][dataset][key] for key in ("loader", "path")},
            **{key: merged(key, dataset) for key in ESTIMATED},
            "runs": [],
        }
        for dataset in config["datasets"]
    }
    for run in classifier_runs():
        _, dataset, _, model, arm, _ = run.split("/")
        datasets[dataset]["runs"].append(run_settings(dataset, model, arm))
    for dataset, own in datasets.items():
        searched = any(run["augmentation"] == "faa" for run in own["runs"])
        own["policies"] = search_settings(dataset) if searched else None
    return {**config["estimate"], "models": config["models"], "datasets": datasets}
