"""A dress rehearsal: each data set once more in small, through the same rules and the same models.

The data set `x` is followed by `rehearsal-x`, which differs in how many images, steps and runs it
has, and in nothing that one of them costs.
"""

import copy
import re
from collections.abc import Iterator, Mapping, Sequence

from mvc.config import plan
from mvc.config.catalogue import LOADERS
from mvc.config.sections import merge_section

PREFIX = "rehearsal-"
LABELS = 8  # training images of a class
STEPS = 10  # of fine-tuning and of classifiers
# How the sections of a data set are made small.
SMALL = {
    "banks": {"per_real": 1, "per_class": None},
    "unet": {"steps": STEPS, "steps_per_image": None, "warmup_steps": 0},
    "synthetic": {"shards": 1},
    "policies": {"rounds": 1, "trials": 2, "kept": 1, "steps": STEPS, "epochs": None},
    "augmented": {"splits": ["train"], "per_class": None},
}
LENGTHS = ("steps", "epochs", "steps_as_with", "per_real", "per_class")  # of a classifier or an arm
HELD_OUT = ("validation_per_class", "extra_per_class", "test_per_class", "oracle_per_class")
ASKED = re.compile(rf"rehearsal|results/{PREFIX}.*|(.*[:,])?dataset={PREFIX}.*")


def has_rehearsal(arguments: Sequence[str]) -> bool:
    """Say whether a command line, of a run or of one of its jobs, asks for a rehearsal.

    >>> [has_rehearsal([word]) for word in ("rehearsal", "unet:dataset=rehearsal-photos", "tables")]
    [True, True, False]
    """
    return any(ASKED.fullmatch(argument) for argument in arguments)


def add_rehearsals(config: Mapping) -> dict:
    """Add to each data set of an expanded configuration its rehearsal, which no table shows."""
    small = {f"{PREFIX}{name}": shrink_dataset(config, name) for name in config["datasets"]}
    return {**config, "datasets": {**config["datasets"], **small}}


def shrink_dataset(config: Mapping, name: str) -> dict:
    """Shrink a data set: few images and steps, one seed, an arm of each kind."""
    values = copy.deepcopy(dict(config["datasets"][name]))
    images = merge_section(config, "images", name)
    few = {"labels_per_class": min(images["labels_per_class"] or LABELS, LABELS)}
    if LOADERS[values["loader"]].per_class:
        few |= {key: min(images[key] or LABELS, LABELS) for key in HELD_OUT}
    for section, own in {"images": few, **SMALL}.items():
        values[section] = {**values.get(section, {}), **own}
    training = merge_section(config, "classifiers", name)
    own = {"seeds": [0], "steps": STEPS, "epochs": None, "per_real": 1, "per_class": None}
    arms = {arm: training["arms"][arm] for arm in _choose_arms(config, name)}
    values["classifiers"] = {
        **values.get("classifiers", {}),
        **own,
        "models": {
            model: _drop_lengths(training["models"][model]) for model in _list_models(config, name)
        },
        "arms": {arm: _drop_lengths(values) for arm, values in arms.items()},
    }
    return {**values, "tables": {"rows": {}}}


def list_rehearsed_files(config: Mapping) -> list[str]:
    """The files of a rehearsal: each data set's pictures, images to train on, and classifiers."""
    files = []
    for name in config["datasets"]:
        if name.startswith(PREFIX):
            section = merge_section(config, "classifiers", name)
            runs = [plan.Run(name, m, arm, 0) for m in section["models"] for arm in section["arms"]]
            folder = f"results/{name}"
            files += [f"{folder}/unet/samples.png", f"{folder}/augmented"]
            files += [run.path for run in runs]
    return files


def has_meaningless_accuracy(file: str) -> bool:
    """Say whether a file is of a rehearsal's classifier, whose accuracy means nothing."""
    return file.startswith(f"results/{PREFIX}") and "/classifiers/" in file


def _list_models(config: Mapping, name: str) -> list[str]:
    """The classifiers of a data set's tables; where it has none, all."""
    rows = merge_section(config, "tables", name)["rows"].values()
    every = merge_section(config, "classifiers", name)["models"]
    return list(dict.fromkeys(model for models in rows for model in models)) or list(every)


def _choose_arms(config: Mapping, name: str) -> Iterator[str]:
    """The first arm of each augmentation and kind of extra images that costs another time."""
    seen = set()
    for arm, values in merge_section(config, "classifiers", name)["arms"].items():
        kind = values["extra"], values["augmentation"] == "faa" and not values["extra"]
        if values["extra"] in (None, "synthetic") and kind not in seen:
            seen.add(kind)
            yield arm


def _drop_lengths(values: Mapping) -> dict:
    return {key: value for key, value in values.items() if key not in LENGTHS}
