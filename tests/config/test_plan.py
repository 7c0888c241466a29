"""Which runs a configuration asks for: of tables, comparisons and further real images."""

import pytest
from mvc.config.expand import expand_config
from mvc.config.plan import STUDIES, list_columns, list_comparison_runs, list_diagnostic_runs
from project_tree import REPO, tiny_config

ARM = "photos/wrn-10-1/"


@pytest.fixture
def config():
    return expand_config(tiny_config(REPO))


def test_list_columns_of_table4_has_fine_tuned_images_alone(config):
    """A mixed set is never headed as the fine-tuned one."""
    assert {"aa+syn", "aa+pretrained"} <= set(list_columns(config, "table4", "photos"))
    config["synthetic"]["pretrained_share"] = 0.5
    columns = list_columns(config, "table4", "photos")
    assert "aa+pretrained" in columns and "aa+syn" not in columns
    config["classifiers"]["arms"]["aa+finetuned"] = {"augmentation": "aa", "extra": "finetuned"}
    columns = list_columns(config, "table4", "photos")
    assert "aa+finetuned" in columns and "aa+syn" not in columns


def test_a_folder_of_which_all_images_are_used_has_no_further_real_ones(config):
    """The training images themselves are there."""
    further = {"ra+real", "ra+real_vae"}
    assert further | {"ra+train_vae"} <= {run.arm for run in list_diagnostic_runs(config)}
    config["images"]["labels_per_class"] = None
    arms = {run.arm for run in list_diagnostic_runs(config)}
    assert "ra+train_vae" in arms and not further & arms


@pytest.mark.parametrize("study", STUDIES)
def test_list_comparison_runs_says_what_to_lay_over(config, study):
    config["evidence"] = {"comparisons": {}}
    with pytest.raises(ValueError, match=f"config/{study}.yaml"):
        list_comparison_runs(config, study)


@pytest.mark.parametrize("whose", ["all", "the data set's own"])
@pytest.mark.parametrize("study", STUDIES)
def test_list_comparison_runs_refuses_another_split(config, study, whose):
    """Settings are chosen on validation images, and nothing else is measured on them."""
    sides = {"treated": f"{ARM}ra+syn", "control": f"{ARM}ra"}
    config["evidence"]["comparisons"] = {"a": {"says": "RA+Syn over RA"} | sides}
    config["classifiers"]["split"] = STUDIES[study]
    runs = list_comparison_runs(config, study)
    assert [run.arm for run in runs] == ["ra+syn", "ra"] * len(config["classifiers"]["seeds"])
    (other,) = {"test", "validation"} - {STUDIES[study]}
    if whose == "all":
        config["classifiers"]["split"] = other
    else:
        config["datasets"]["photos"]["classifiers"] = {"split": other}
    with pytest.raises(ValueError, match=rf"split = {other} \(photos\): the target {study} is of"):
        list_comparison_runs(config, study)
