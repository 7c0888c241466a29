"""Among which runs a classifier is chosen, and which runs keep their weights."""

import copy

import pytest
from mvc.config.candidates import choose_keeping, list_candidates
from mvc.config.expand import expand_config
from project_tree import REPO, tiny_config

CONFIG = expand_config(tiny_config(REPO))


def edited(**values):
    config = copy.deepcopy(CONFIG)
    config["classifiers"] |= values
    return config


def test_list_candidates_are_the_runs_of_the_tables_each_once():
    runs = list_candidates(CONFIG, "photos")
    arms = ["baseline", "faa", "aa", "ra", "aa+syn", "ra+syn", "aa+pretrained", "aa+rsp"]
    assert [run.arm for run in runs] == arms  # none of more labelled images
    assert len(list_candidates(edited(seeds=[0, 1]), "photos")) == 2 * len(arms)


def test_list_candidates_names_the_key_of_a_data_set_in_no_table():
    config = copy.deepcopy(CONFIG)
    config["datasets"]["other"] = {"loader": "imagefolder", "path": "other", "tables": {"rows": {}}}
    with pytest.raises(ValueError, match="other has no rows.*tables.rows"):
        list_candidates(config, "other")


@pytest.mark.parametrize(
    "keep, model, arm, kept",
    [
        ("best", "wrn-10-1", "ra+syn", "best"),
        ("best", "wrn-10-1", "ra+real", "none"),
        ("best", "wrn-10-2", "ra+syn", "none"),
        ("all", "wrn-10-2", "ra+real", "all"),
        ("none", "wrn-10-1", "ra+syn", "none"),
    ],
)
def test_choose_keeping_keeps_the_runs_of_the_tables(keep, model, arm, kept):
    assert choose_keeping(edited(keep=keep), "photos", model, arm) == kept


def test_a_run_keeps_its_weights_where_it_is_a_candidate():
    runs = list_candidates(CONFIG, "photos")
    assert {choose_keeping(CONFIG, run.dataset, run.model, run.arm) for run in runs} == {"best"}
