"""The paper's figures: copied without slips, and set against ours as they should be."""

import json
import math

import pandas as pd
import pytest
from mvc.config.table_columns import TABLES
from mvc.tables import published, statistics
from mvc.tables.runs import read_runs
from records import make_measured

NAN = math.nan


def ours(tmp_path, table, levels, *, dataset, model, spread=(-0.5, 0.5)):
    """Cells and gains of runs at the given levels by arm, one a seed for each of `spread`."""
    paths = []
    shared = {"dataset": dataset, "model": model, "split": "test", "settings": "s", "steps": 1}
    for arm, level in levels.items():
        for seed, more in enumerate(spread):
            measured = make_measured(level + (1 + seed) * more)
            record = {**shared, **measured, "arm": arm, "seed": seed}
            paths.append(tmp_path / f"{arm}-{seed}.json")
            paths[-1].write_text(json.dumps({**record, "n_train": 1, "n_extra": 0}))
    done = statistics.select_shown(read_runs(paths), TABLES[table])
    return statistics.summarise_cells(done), statistics.compare_arms(done, TABLES[table].gains)


def rows_of(text):
    lines = (line.split("|")[1:-1] for line in text.splitlines() if line.startswith("|"))
    return [[cell.strip() for cell in line] for line in lines]


@pytest.mark.parametrize(
    "table, count, datasets",
    [
        ("table1", 10, 5),
        ("table2", 3, 1),
        ("table3", 3, 1),
        ("table4", 5, 3),
        ("table5", 3, 1),
    ],
)
def test_every_published_row_is_there_once(table, count, datasets):
    rows = list(published.list_rows(table))
    assert len({(row.dataset, row.model) for row in rows}) == count == len(rows)
    assert len({row.dataset for row in rows}) == datasets
    for row in rows:
        assert list(row.values) == list(TABLES[table].columns)
        assert all(20 < v < 100 for v in row.values.values() if not math.isnan(v))


def mean_gain(table, arm, over):
    gains = [row.values[arm] - row.values[over] for row in published.list_rows(table)]
    return pd.Series(gains).mean()  # without the rows that lack one


def test_the_papers_text_agrees_where_it_can():
    """Its mean gain of Syn over Baseline is that of Table 1; the other three are not."""
    assert mean_gain("table1", "syn", "baseline") == pytest.approx(3.29)
    said = {("faa+syn", "faa"): 1.70, ("aa+syn", "aa"): 1.77, ("ra+syn", "ra"): 2.11}
    for pair, gain in said.items():
        assert abs(mean_gain("table1", *pair) - gain) > 0.01
        assert f"+{gain:.2f}" in published.NOTES["table1"]


def test_tables_that_share_cells_agree():
    """Caltech-101's AA and AA+Syn stand in Tables 2, 4 and 5; two-phase is AA+Syn."""
    values = {
        name: {
            row.model: row.values for row in published.list_rows(name) if "caltech" in row.dataset
        }
        for name in ("table2", "table4", "table5")
    }
    for model, second in values["table2"].items():
        fourth, fifth = values["table4"][model], values["table5"][model]
        assert second["aa"] == fourth["aa"] == fifth["aa"]
        assert second["aa+syn"] == fourth["aa+finetuned"] == fifth["aa+two_phase"]


def test_marks_are_printed_and_dashes_are_no_numbers():
    rows = {(row.dataset, row.model): row for row in published.list_rows("table1")}
    row = rows["tiny-imagenet", "efficientnet_b3"]
    assert row.printed["baseline"] == "46.3*" and row.values["baseline"] == 46.3
    assert row.printed["aa"] == "–" and math.isnan(row.values["aa"])
    assert sum(v.endswith("*") for row in rows.values() for v in row.printed.values()) == 21


def test_ours_stand_below_the_papers_with_the_difference(tmp_path):
    levels = {"aa": 95.0, "aa+combined": 96.0, "aa+two_phase": 97.5}
    cells = ours(tmp_path, "table5", levels, dataset="caltech-101", model="resnet50")
    text = published.format_section("table5", *cells, digits=1)
    rows = rows_of(text)
    i = rows.index(["caltech-101", "resnet50", "paper", "96.1", "95.4", "96.3", "97.2"])
    assert rows[i + 1][2:] == ["ours", "95.2", "96.2", "not run", "97.8"]
    assert rows[i + 2][2:] == ["ours − paper", "−0.8", "+0.8", "–", "+0.5"]
    other = next(row for row in rows if row[1] == "vit_base_patch16_224")
    assert other[2:] == ["paper, not run", "96.7", "97.2", "97.2", "97.5"]
    assert "Table 5 of" in text and "was run here" not in text


def test_the_gains_are_compared_where_both_have_them(tmp_path):
    """Brain tumor: the paper has no PT there, so of three gains one can be compared."""
    levels = {"aa": 94.0, "aa+pretrained": 93.0, "aa+syn": 96.0}
    cells = ours(tmp_path, "table4", levels, dataset="brain-tumor", model="resnet50")
    rows = [
        row
        for row in rows_of(published.format_section("table4", *cells, digits=1))
        if len(row) == 9
    ]
    assert rows[0][4:] == ["paper", "ours", "difference", "interval", "agrees"]
    assert rows[2:] == [
        ["brain-tumor", "resnet50", "AA+Syn(FT)", "AA", "+1.7", "+2.0", "+0.3", "–", "in sign"]
    ]


@pytest.mark.parametrize(
    "gains, says",
    [
        ((1.0, 2.0, 0.5, 3.5), "yes"),
        ((1.0, -0.5, -3.0, 2.0), "yes"),
        ((1.0, 4.0, 3.0, 5.0), "in sign"),
        ((1.0, 4.0, NAN, NAN), "in sign"),
        ((1.0, -4.0, -5.0, -3.0), "no"),
        ((-0.7, 0.4, NAN, NAN), "no"),
        ((1.0, 0.0, NAN, NAN), "no"),
    ],
)
def test_agreement(gains, says):
    assert published.judge_agreement(*gains) == says
    assert says in published.AGREES


def test_where_nothing_was_run_it_is_said(tmp_path):
    cells = ours(tmp_path, "table2", {"aa": 50.0, "aa+syn": 60.0}, dataset="d", model="m")
    text = published.format_section("table2", *cells, digits=1)
    assert "None of the paper's rows was run here." in text and "agrees" not in text
    assert [row[2] for row in rows_of(text)[2:]] == ["paper, not run"] * 3
