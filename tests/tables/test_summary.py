"""What a run ends with on the terminal: this run's accuracies, gains and verdicts."""

import importlib.util
import math

import pandas as pd
import pytest
from mvc.config.table_columns import TABLES
from mvc.tables.statistics import Gain, make_table
from mvc.tables.summary import summarise_table
from project_tree import REPO
from records import make_measured

ARMS = {"baseline": (50, 51, 52), "syn": (60, 61.5, 62), "ra": (70, 72, 74), "ra+syn": (69, 71, 76)}


def make_runs(arms=ARMS, n_seeds=3, n_test=2000):
    return pd.DataFrame(
        {"dataset": "mine", "model": "wrn-10-1", "arm": arm, "seed": seed}
        | {"split": "test", "n_train": 50, "n_extra": 0, "steps": 600}
        | make_measured(float(value), n_test)
        for arm, values in arms.items()
        for seed, value in enumerate(values[:n_seeds])
    )


def summarise(runs):
    return summarise_table(make_table(runs, TABLES["table1"]), TABLES["table1"], digits=1)


def test_summarise_table_has_accuracies_gain_and_verdict_by_row():
    first, heading, *lines = summarise(make_runs()).splitlines()
    assert first == "mine, wrn-10-1, 50 labelled images"
    assert heading.split() == ["without", "with", "gain", "95", "%", "interval", "verdict"]
    assert [line.split("  ")[0] for line in lines] == ["Syn over Baseline", "RA+Syn over RA"]
    assert "51.0 ± 1.0  61.2 ± 1.0  +10.2" in lines[0] and lines[0].endswith("holds")
    assert lines[1].endswith("undecided")


def test_summarise_table_shows_one_seed_without_an_interval():
    *_, line = summarise(make_runs(n_seeds=1)).splitlines()
    assert line.split() == "RA+Syn over RA 70.0 69.0 −1.0 – undecided".split()


@pytest.mark.parametrize(
    "low, high, verdict",
    [(0.1, 2, "holds"), (-2, -0.1, "does not hold"), (-1, 1, "undecided")]
    + [(math.nan, math.nan, "undecided")],
)
def test_gain_verdict(low, high, verdict):
    assert Gain(3, 0, low, high, 0.5).verdict == verdict


def test_summarise_table_doubts_a_verdict_that_other_test_images_may_reverse():
    arms = {"ra": (70, 72, 74), "ra+syn": (72, 74.5, 76)}
    assert "Undecided" not in summarise(make_runs(arms, n_test=2000))
    *_, line, doubt = summarise(make_runs(arms, n_test=60)).splitlines()
    assert line.endswith("holds") and "RA+Syn over RA" in doubt
    assert doubt.startswith("Undecided if test images vary, too")


@pytest.mark.parametrize("width", [80, 120])
def test_show_fits_one_screen(tmp_path, width):
    """Two data sets with every arm of Table 1."""
    every = {arm: (50.0, 61.25, 72.5) for arm in TABLES["table1"].columns}
    runs = make_runs(every)
    both = [runs.assign(dataset=name) for name in ("fashion-mnist-few", "another-data-set-0")]
    pd.concat(both).to_csv(tmp_path / "table1_runs.csv", index=False)
    spec = importlib.util.spec_from_file_location("show", REPO / "workflow/scripts/show.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    lines = script.show(tmp_path / "table1_runs.csv", width).splitlines()
    assert len(lines) <= 30
    assert max(len(line.replace(str(tmp_path), "")) for line in lines) <= 80 + 40 * (width > 80)
