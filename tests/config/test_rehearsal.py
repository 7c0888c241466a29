"""A rehearsal has each data set once more in small, and changes nothing of the others."""

import pytest
from mvc.config.check import list_faults, read_schema
from mvc.config.expand import expand_config
from mvc.config.rehearsal import (
    PREFIX,
    add_rehearsals,
    has_meaningless_accuracy,
    has_rehearsal,
    list_rehearsed_files,
)
from project_tree import REPO, wide_config

CONFIG = expand_config(wide_config())


def test_data_sets_stay_and_get_a_small_one_each():
    both = add_rehearsals(CONFIG)
    own = {name: values for name, values in both["datasets"].items() if name in CONFIG["datasets"]}
    assert own == CONFIG["datasets"]
    small = both["datasets"].keys() - own.keys()
    assert small == {f"{PREFIX}{name}" for name in own}
    schema = read_schema(REPO / "workflow/schemas/config.schema.yaml")
    faults = list_faults(both, schema)
    assert faults and all("must not begin with rehearsal-" in line for line in faults)


@pytest.mark.parametrize("name", CONFIG["datasets"])
def test_a_small_one_differs_in_numbers_alone(name):
    whole = CONFIG["datasets"][name]
    small = add_rehearsals(CONFIG)["datasets"][f"{PREFIX}{name}"]
    assert small["loader"] == whole["loader"] and small["path"] == whole["path"]
    assert small["unet"].get("text") == whole.get("unet", {}).get("text")
    assert small["images"]["labels_per_class"] <= 8 and small["tables"] == {"rows": {}}
    training = small["classifiers"]
    assert training["seeds"] == [0] and training["steps"] == 10 and training["epochs"] is None
    extras = [arm["extra"] for arm in training["arms"].values()]
    assert extras.count("synthetic") == 1 and extras.count(None) == 2  # with Fast AutoAugment


def test_lengths_of_arms_and_classifiers_give_way():
    config = expand_config(wide_config())
    config["classifiers"]["models"]["wrn-10-1"] = {"epochs": 200, "weight_decay": 0.1}
    config["classifiers"]["arms"]["syn"] |= {"per_real": 9}
    small = add_rehearsals(config)["datasets"]["rehearsal-fashion-mnist-few"]["classifiers"]
    assert small["models"]["wrn-10-1"] == {"weight_decay": 0.1}
    assert "per_real" not in small["arms"]["syn"]


def test_files_are_those_of_the_rehearsals():
    files = list_rehearsed_files(add_rehearsals(CONFIG))
    assert files and all(file.startswith(f"results/{PREFIX}") for file in files)
    assert list_rehearsed_files(CONFIG) == []
    assert has_meaningless_accuracy(f"results/{PREFIX}x/classifiers/a/b/0.json")
    assert not has_meaningless_accuracy("results/x/classifiers/a/b/0.json")


@pytest.mark.parametrize(
    "arguments, asked",
    [
        (["--cores", "2", "rehearsal"], True),
        (["--target-jobs", "unet:dataset=rehearsal-photos"], True),
        (["--target-jobs", "classifiers:model=wrn-10-1,arm=ra,dataset=rehearsal-photos"], True),
        (["results/rehearsal-photos/captions.parquet"], True),
        (["--configfile", "config/rehearsal.yaml", "--", "tables"], False),
        (["--target-jobs", "unet:dataset=photos"], False),
    ],
)
def test_it_is_known_by_its_target_and_by_its_jobs(arguments, asked):
    assert has_rehearsal(arguments) == asked
