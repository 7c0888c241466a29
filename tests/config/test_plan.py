"""Which runs a configuration asks for: of tables, comparisons and further real images."""

import pytest
from mvc.config.expand import expand_config
from mvc.config.plan import (
    STUDIES,
    Run,
    choose_generator,
    list_columns,
    list_comparison_runs,
    list_demo_files,
    list_diagnostic_runs,
    list_extra_images,
    list_report_files,
    list_rows,
    list_table_files,
    list_table_runs,
)
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
    with pytest.raises(ValueError, match=rf"classifiers.split = {other} \(photos\)"):
        list_comparison_runs(config, study)


@pytest.mark.parametrize("share, generator", [(0, "finetuned"), (1, "pretrained"), (0.5, "mixed")])
def test_choose_generator_by_the_share_of_pretrained_images(config, share, generator):
    config["synthetic"] |= {"pretrained_share": share, "shards": 2}
    assert choose_generator(config, "photos") == generator
    paths = [f"results/photos/synthetic/{generator}/{shard}-of-2.parquet" for shard in (0, 1)]
    assert list_extra_images(config, "photos", "ra+syn") == paths
    assert list_extra_images(config, "photos", "ra") == []


def test_list_table_runs_says_where_a_row_is_added(config):
    runs = [run for run in list_table_runs(config, "table5") if run.arm == "aa+rsp"]
    assert runs == [Run("photos", "wrn-10-1", "aa+rsp", 0)]
    assert runs[0].path == "results/photos/classifiers/wrn-10-1/aa+rsp/0.json"
    with pytest.raises(ValueError, match="tables.rows, for instance table2: "):
        list_table_runs(config, "table2")


@pytest.mark.parametrize("side, key", [("wrn-10-1/nobody", "arms"), ("nobody/ra", "models")])
def test_list_comparison_runs_names_what_is_not_there(config, side, key):
    sides = {"treated": f"photos/{side}", "control": f"{ARM}ra"}
    config["evidence"]["comparisons"] = {"a": {"says": ""} | sides}
    with pytest.raises(ValueError, match=f"'nobody'.* classifiers.{key}"):
        list_comparison_runs(config, "evidence")


def test_list_report_files_has_diagnostics_only_with_arms_of_theirs(config):
    assert "results/tables/diagnostics.csv" in list_report_files(config)
    arms = config["classifiers"]["arms"]
    config["classifiers"]["arms"] = {arm: arms[arm] for arm in ("baseline", "aa")}
    assert "results/tables/diagnostics.csv" not in list_report_files(config)
    assert "results/x/tables/table1.csv" in list_table_files(config | {"name": "x"})


def test_list_demo_files_is_table_1_and_the_samples_of_its_data_sets(config):
    datasets = [dataset for dataset, _ in list_rows(config, "table1")]
    samples = [f"results/{dataset}/unet/samples.png" for dataset in dict.fromkeys(datasets)]
    assert list_demo_files(config) == ["results/tables/table1.csv", *samples]
