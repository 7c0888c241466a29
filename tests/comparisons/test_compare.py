"""Comparisons over labelled subsets: the right pairs, the right unit, no test image in a sweep."""

import math
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml
from mvc.comparisons import compare as comparing
from mvc.comparisons import report
from mvc.config.expand import expand_config
from mvc.config.plan import STUDIES
from mvc.config.sections import merge_section
from mvc.config.subsets import Side, pair_subsets
from scipy import stats
from snakemake.utils import update_config
from workflow_run import snakemake

REPO = Path(__file__).parents[2]

SAYS = {"says": "A over B", "treated": "set-{subset}/m/a", "control": "set-{subset}/m/b"}


def runs(gains, noise=0.0):
    """Runs of two arms: of each subset as many seeds as it has gains."""
    rows = []
    for subset, own in enumerate(gains):
        for seed, gain in enumerate(own):
            base = 50 + 3 * subset + seed
            rows += [
                (f"set-{subset}", "m", "b", seed, base),
                (f"set-{subset}", "m", "a", seed, base + gain),
            ]
    table = pd.DataFrame(rows, columns=["dataset", "model", "arm", "seed", "accuracy"])
    return table.assign(split="test")


def compare(records, comparison=SAYS):
    sets = sorted(set(records["dataset"]))
    return comparing.compare_pairs(records, {"x": comparison}, sets, split="test", confidence=0.95)


def result(gains):
    return compare(runs(gains)).iloc[0]


def test_subsets_are_found_by_number_and_both_sides_must_be_there():
    found = pair_subsets(
        "x",
        {"treated": "set-{subset}-own/m/a", "control": "set-{subset}/m/b"},
        ["set-10", "set-2", "set-2-own", "set-10-own", "set-3-own", "set-x-own"],
    )
    assert [pair.subset for pair in found] == [2, 10]
    assert found[0] == (2, Side("set-2-own", "m", "a"), Side("set-2", "m", "b"))


def test_a_comparison_may_take_the_first_subsets_alone():
    names = [f"set-{i}" for i in (3, 0, 10, 2)]
    found = pair_subsets("x", SAYS | {"subsets": 3}, names)
    assert [pair.subset for pair in found] == [0, 2, 3]
    with pytest.raises(ValueError, match=r"comparisons\.x\.subsets = 5; there are 4 of set-"):
        pair_subsets("x", SAYS | {"subsets": 5}, names)


def test_a_data_set_without_a_number_is_one_subset():
    (pair,) = pair_subsets("x", {"treated": "d/m/a", "control": "d/m/b"}, ["d"])
    assert pair == (0, Side("d", "m", "a"), Side("d", "m", "b"))


@pytest.mark.parametrize(
    "treated, says",
    [
        ("set-{subset}/a", "comparisons.x.treated = 'set-{subset}/a'; must be <data set>"),
        ("other-{subset}/m/a", "no data sets other-{subset} and set-{subset}; there are set-0"),
    ],
)
def test_a_wrong_side_is_named(treated, says):
    with pytest.raises(ValueError) as error:
        pair_subsets("x", SAYS | {"treated": treated}, ["set-0"])
    assert says in str(error.value)


def test_the_interval_is_that_of_the_means_of_subsets():
    """Seeds of one subset share its images: five of them are no five draws of a labelled set."""
    row = result([[1, 3], [2, 2], [4, 6]])
    low, high = stats.ttest_1samp([2.0, 2.0, 5.0], 0).confidence_interval(0.95)
    assert row.gain == pytest.approx(3) and list(row.gains) == [2, 2, 5]
    assert (row.low, row.high) == pytest.approx((low, high))
    assert (row.subsets, row.runs) == (3, 6)


def test_a_run_of_another_split_is_refused():
    records = runs([[1, 2]])
    records.loc[1, "split"] = "validation"
    with pytest.raises(ValueError, match="set-0, a: measured on validation, not test, images"):
        compare(records)


def test_both_sides_must_have_the_same_seeds():
    with pytest.raises(ValueError, match="must have the same classifiers.seeds"):
        compare(runs([[1, 2]])[:-1])


@pytest.mark.parametrize(
    "gains, verdict",
    [
        ([[1, 1.1], [1.2, 1.1], [0.9, 1]], "holds"),
        ([[-1, -1.1], [-1.2, -1.1], [-0.9, -1]], "does not hold"),
        ([[-1, -1], [0, 1], [2, 0.5]], "undecided"),
    ],
)
def test_verdicts(gains, verdict):
    assert result(gains).verdict == verdict


def test_one_subset_has_the_interval_of_its_seeds_and_one_run_none():
    low, high = stats.ttest_1samp([1.0, 2.0, 3.0], 0).confidence_interval(0.95)
    row = result([[1, 2, 3]])
    assert (row.low, row.high) == pytest.approx((low, high))
    row = result([[1]])
    assert math.isnan(row.low) and row.verdict == "undecided"


def test_the_page_and_pictures_tell_every_comparison(tmp_path):
    table = compare(runs([[1, 3], [2, 2], [4, 6]]))
    page = report.format_page(table, split="test", digits=1, confidence=0.95)
    assert "A over B" in page and "+3.0" in page and "3 × 2" in page and "undecided" in page
    report.write_intervals(table, tmp_path / "intervals.png")
    records = runs([[1, 3], [2, 2]]).assign(labels=[5] * 4 + [10] * 4, family="x")
    report.write_curves(records, tmp_path / "curves.png")
    report.write_curves(records[:4], tmp_path / "none.png")
    assert {path.stat().st_size > 5_000 for path in tmp_path.glob("*.png")} == {True}


def test_a_curve_joins_data_sets_that_differ_in_their_images_alone():
    records = runs([[1, 3], [2, 2], [8, 8]])
    records["labels"] = records["dataset"].map({"set-0": 5, "set-1": 10, "set-2": 5})
    records["family"] = records["dataset"].map({"set-0": "x", "set-1": "x", "set-2": "own"})
    points = report.average_curves(records)
    assert set(points["family"]) == {"x"} and list(points["arm"]) == ["a", "a", "b", "b"]
    assert list(points["labels"]) == [5, 10] * 2
    assert list(points["mean"]) == [52.5, 55.5, 50.5, 53.5]


def test_a_family_shares_what_the_arm_reads():
    few = {"loader": "csv", "images": {"labels_per_class": 5}, "banks": {"per_real": 16}, "seed": 0}
    more = few | {"images": {"labels_per_class": 50}, "banks": {"per_real": 4}, "seed": 1}
    family = comparing.name_family
    assert family(few, None) == family(more, float("nan"))
    assert family(few, "real") == family(more, "real")
    assert family(few, "synthetic") != family(more, "synthetic")
    assert family(few, "synthetic") == family(few | {"images": {}, "seed": 2}, "synthetic")
    assert family(few, None) != family(few | {"classifiers": {"steps": 9}}, None)


def test_subsets_are_data_sets_with_seeds_of_their_own():
    config = {
        "datasets": {"a": {"loader": "csv", "subsets": 2}, "b": {"like": "a", "unet": {"steps": 3}}}
    }
    datasets = expand_config(config)["datasets"]
    assert list(datasets) == ["a-0", "a-1", "b-0", "b-1"]
    assert datasets["b-1"] == {"loader": "csv", "unet": {"steps": 3}, "seed": 1}


def study(name):
    """The configuration of a study as it ships, with the data sets written out."""
    config = yaml.safe_load((REPO / "config/config.yaml").read_text(encoding="utf-8"))
    overlay = yaml.safe_load((REPO / f"config/{name}.yaml").read_text(encoding="utf-8"))
    update_config(config, overlay)
    return expand_config(config)


@pytest.mark.parametrize("name, first", [("sweep", "few"), ("evidence", "labels5")])
def test_the_studies_are_of_the_default_run(name, first):
    datasets = study(name)["datasets"]
    default = datasets["fashion-mnist-few"]
    for seed in range(8):
        assert datasets[f"{first}-{seed}"] == default | {"seed": seed}


@pytest.mark.parametrize("name", STUDIES)
def test_the_studies_compare_runs_that_there_are_on_their_split(name):
    config = study(name)
    assert STUDIES[name] == {"sweep": "validation"}.get(name, "test")
    for key, comparison in config["evidence"]["comparisons"].items():
        found = pair_subsets(key, comparison, config["datasets"])
        assert len(found) >= 3, key
        for side in (side for pair in found for side in (pair.treated, pair.control)):
            section = merge_section(config, "classifiers", side.dataset)
            assert section["split"] == STUDIES[name]
            assert side.model in section["models"] and side.arm in section["arms"], key


OVERLAY = """
classifiers: {split: %s}
evidence:
  comparisons:
    z: {says: RA+Syn over RA, treated: photos/wrn-10-1/ra+syn, control: photos/wrn-10-1/ra}
    a: {says: RA over Baseline, treated: photos/wrn-10-1/ra, control: photos/wrn-10-1/baseline}
"""


@pytest.mark.slow
def test_choosing_settings_reads_no_test_image(project, tmp_path):
    """No job but the one that sorts images into splits knows their file, let alone opens it."""
    overlay = tmp_path / "overlay.yaml"
    configs = ["--configfile", "config/config.yaml", str(overlay), "--"]
    overlay.write_text(OVERLAY % "validation", encoding="utf-8")
    said = snakemake(project, "--dry-run", "--forceall", *configs, "sweep")
    jobs = re.split(r"^(?=(?:local)?rule \w+:$)", said, flags=re.M)[1:]
    assert {"classifiers", "comparisons"} <= {re.search(r"rule (\w+)", job)[1] for job in jobs}
    naming = [job for job in jobs if "images/test.parquet" in job]
    assert [re.search(r"rule (\w+)", job)[1] for job in naming] == ["images"]
    said = snakemake(project, "--dry-run", *configs, "evidence", ok=False)
    assert "classifiers.split = validation (photos)" in said
    named = snakemake(project, "--dry-run", "--config", "name=mine", *configs, "sweep")
    assert "results/mine/sweep/comparisons.md" in named


@pytest.mark.slow
def test_a_comparison_that_cannot_be_made_is_a_fault_of_the_configuration(project, tmp_path):
    """One sentence, without Python's traceback above it."""
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(OVERLAY.replace("wrn-10-1", "nobody") % "test", encoding="utf-8")
    configs = ["--configfile", "config/config.yaml", str(overlay), "--"]
    said = snakemake(project, "--dry-run", *configs, "evidence", ok=False)
    assert "The configuration has faults:\n  evidence.comparisons: 'nobody'; must be one of" in said
    assert "Traceback" not in said and "InputFunctionException" not in said


@pytest.mark.slow
def test_comparisons_are_made_by_the_workflow(copied):
    (copied / "overlay.yaml").write_text(OVERLAY % "test", encoding="utf-8")
    configs = ["--configfile", "config/config.yaml", "overlay.yaml", "--"]
    snakemake(copied, *configs, "evidence")
    results = copied / "results/evidence"
    table = pd.read_csv(results / "comparisons.csv")
    accuracy = pd.read_parquet(results / "runs.parquet").set_index("arm")["accuracy"]
    assert table["gain"][0] == pytest.approx(accuracy["ra+syn"] - accuracy["ra"], abs=1e-5)
    page = (results / "comparisons.md").read_text("utf-8")
    assert page.index("RA+Syn over RA") < page.index("RA over Baseline")
