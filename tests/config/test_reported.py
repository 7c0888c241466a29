"""What the report needs and what it shows where it is there."""

import copy
from pathlib import Path

import pytest
from mvc.config import plan
from mvc.config.expand import expand_config
from mvc.config.reported import (
    find_first_table,
    list_needed_files,
    list_optional_files,
    list_states,
    read_report,
)
from project_tree import REPO, tiny_config, wide_config

CONFIG = expand_config(tiny_config(REPO))


def edit(**changes) -> dict:
    config = copy.deepcopy(CONFIG)
    config["datasets"]["photos"] |= changes
    return config


def test_list_needed_files_is_what_the_first_table_needs():
    files = list_needed_files(CONFIG)
    runs = {run.path for run in plan.list_table_runs(CONFIG, "table1")}
    assert {file for file in files if "/classifiers/" in file} == runs
    shards = plan.list_shards(CONFIG, "photos", "finetuned")
    assert {file for file in files if "/synthetic/" in file} == set(shards)
    assert not [file for file in files if "quality" in file or file.endswith(".png")]
    assert len(files) == len(set(files))


def test_list_needed_files_of_data_sets_in_no_table_or_of_real_images_alone():
    assert list_needed_files(edit(tables={"rows": {"table1": []}})) == []
    config = edit(classifiers={"arms": {"aa": {"augmentation": "aa", "extra": None}}})
    files = list_needed_files(config)
    assert "results/photos/images/train.parquet" in files
    assert not [file for file in files if "bank" in file or "unet" in file or "synthetic" in file]


@pytest.mark.parametrize("rows, first", [({"table4": ["x"]}, "table4"), ({}, None)])
def test_find_first_table(rows, first):
    assert find_first_table(edit(tables={"rows": rows}), "photos") == first


def test_optional_files_are_no_needed_ones_and_count_once_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    optional = list_optional_files(CONFIG)
    assert not set(optional) & set(list_needed_files(CONFIG))
    assert "results/photos/quality/finetuned.json" in optional
    assert list_states(CONFIG) == []
    file = Path(optional[0])
    file.parent.mkdir(parents=True)
    file.touch()
    assert list_states(CONFIG) == [[str(file), file.stat().st_mtime_ns]]


def test_read_report_has_each_data_set_but_rehearsals():
    config = expand_config(wide_config())
    config["datasets"]["rehearsal-x"] = next(iter(config["datasets"].values()))
    datasets = read_report(config)["datasets"]
    assert "rehearsal-x" not in datasets and "fashion-mnist-few" in datasets
    few = datasets["fashion-mnist-few"]
    assert few["generator"] == "finetuned" and few["selection"]["select"] == "clip"
    assert few["settings"]["images"]["labels_per_class"] == 5
    assert all(path.startswith("results/fashion-mnist-few/") for path in few["runs"]["table1"])
