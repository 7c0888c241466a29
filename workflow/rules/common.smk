import os
import sys
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError

SCRIPTS = Path(workflow.basedir) / "workflow" / "scripts"
sys.path.insert(0, str(SCRIPTS))

from mvc.folders import tree_digest
from mvc.provenance import code_digest
from mvc.settings import faults, missing_files

# Keys of the section `images` that a loader does not read.
UNREAD_IMAGES = {
    "fashion_mnist": ("test_fraction", "validation_fraction", "unreadable"),
    "imagefolder": (
        "validation_per_class",
        "extra_per_class",
        "test_per_class",
        "judge_per_class",
    ),
}
# Files of a model folder that are read; its card is not.
MODEL_SUFFIXES = (".json", ".safetensors", ".txt", ".gz")
# Generators whose images are further real ones.
REAL = ("real", "round_trip")
TABLE1 = ("baseline", "faa", "aa", "ra", "syn", "faa+syn", "aa+syn", "ra+syn")


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


config = checked(config, "config.schema.yaml", missing_files)
for section in config:  # data sets keep their order, which is that of the tables' rows
    if section != "datasets":
        config[section] = ordered(config[section])
for dataset in config["datasets"]:
    config["datasets"][dataset] = ordered(config["datasets"][dataset])


wildcard_constraints:
    dataset=r"[A-Za-z0-9][\w.-]*",
    shard=r"\d+",
    shards=r"\d+",
    seed=r"\d+",


# The data set that the figures show.
SHOWN = config["figures"]["dataset"] or next(iter(config["datasets"]))


def code(script):
    """Digest of `script` and every `mvc` module it imports, directly or not."""
    return code_digest(SCRIPTS / script)


def merged(section, dataset):
    """One section of the config, the data set's own values over it, and the root seed."""
    own = config["datasets"][dataset].get(section, {})
    return {**config[section], **own, "seed": config["seed"]}


def settings(section, *models):
    """The `cfg` of a stage, which is its section for the data set, and the models it opens."""
    chosen = {name: config["models"][name] for name in models}
    return lambda wildcards: {**merged(section, wildcards.dataset), **chosen}


def source(wildcards):
    """Settings of a data set's images: what its loader reads, and a digest of a folder's files."""
    own = config["datasets"][wildcards.dataset]
    section = merged("images", wildcards.dataset)
    unread = UNREAD_IMAGES[own["loader"]]
    return {
        **{key: value for key, value in section.items() if key not in unread},
        "loader": own["loader"],
        "path": own["path"],
        "files": tree_digest(own["path"]) if own["path"] else "",
    }


def synthetic_settings(generator):
    """Settings of one generator: the shard count stays out, since it changes no image."""

    def chosen(wildcards):
        section = merged("synthetic", wildcards.dataset)
        section.pop("shards")
        resolution = merged("unet", wildcards.dataset)["resolution"]
        diffusion = config["models"]["diffusion"]
        return {
            **section,
            "generator": generator,
            "resolution": resolution,
            "diffusion": diffusion,
        }

    return chosen


def own_captions(wildcards):
    """A person's own caption file of a data set, where there is one."""
    return merged("captions", wildcards.dataset)["file"] or []


def model_files(*models):
    """The files of models that are local folders, so that a changed model is noticed."""
    folders = [Path(config["models"][name]) for name in models]
    files = (f for d in folders if d.is_dir() for f in sorted(d.rglob("*")))
    return [str(f) for f in files if f.suffix in MODEL_SUFFIXES]


def shards(dataset, generator):
    """The shards of one synthetic set, in the order of their images."""
    of = merged("synthetic", dataset)["shards"]
    return [
        f"results/{dataset}/synthetic/{generator}/{shard}-of-{of}.parquet"
        for shard in range(of)
    ]


def classifier_settings(wildcards):
    """Settings of one run: its arm's and model's own values, and nothing that it does not read."""
    section = merged("classifiers", wildcards.dataset)
    models, arms, _ = (section.pop(key) for key in ("models", "arms", "seeds"))
    run = {**section, **models[wildcards.model], **arms[wildcards.arm]}
    strategy = run["strategy"] if run["extra"] else None
    unread = {
        "ra": run["augmentation"] != "ra",
        "fill": run["augmentation"] == "default",
        "strategy": not strategy,
        "phase2": strategy != "two_phase",
        "rsp": strategy != "rsp",
    }
    return {key: value for key, value in run.items() if not unread.get(key)}


def evaluation_split(wildcards):
    """The split that accuracy is measured on."""
    split = merged("classifiers", wildcards.dataset)["split"]
    return f"results/{wildcards.dataset}/images/{split}.parquet"


def extra_images(wildcards):
    """The shards that an arm adds to the real images; none for an arm of real images alone."""
    arm = merged("classifiers", wildcards.dataset)["arms"][wildcards.arm]
    return shards(wildcards.dataset, arm["extra"]) if arm["extra"] else []


def has_extra(dataset):
    """Whether a data set can have further real images: a folder of which all are used has none."""
    folder = config["datasets"][dataset]["loader"] == "imagefolder"
    return not folder or merged("images", dataset)["labels_per_class"] is not None


def runs(wanted):
    """The classifier runs of all data sets whose arm is wanted and possible."""
    return [
        f"results/{dataset}/classifiers/{model}/{arm}/{seed}.json"
        for dataset in config["datasets"]
        for section in [merged("classifiers", dataset)]
        for model in section["models"]
        for arm in section["arms"]
        if wanted(arm)
        and (section["arms"][arm]["extra"] not in REAL or has_extra(dataset))
        for seed in section["seeds"]
    ]


def table_runs():
    """What Table 1 is made of."""
    return runs(lambda arm: arm in TABLE1)


def diagnostic_runs():
    """The arms outside Table 1, and those that they are compared with."""
    return runs(lambda arm: arm not in TABLE1 or arm in ("ra", "ra+syn"))


def figure2_settings():
    """Settings of Figure 2: its own, and how images of the data set shown are sampled."""
    dataset = SHOWN
    section = merged("synthetic", dataset)
    section.pop("shards")
    return {
        **config["figures"],
        "synthetic": section,
        "resolution": merged("unet", dataset)["resolution"],
        "diffusion": config["models"]["diffusion"],
        "seed": config["seed"],
    }
