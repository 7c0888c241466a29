"""Tables: statistics by hand, the right baseline, what must not be mixed, and how it looks."""

import importlib.util
import json
import math
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from mvc.config import table_columns
from mvc.config.table_columns import TABLES
from mvc.core import markdown
from mvc.tables import latex, report, statistics
from mvc.tables.runs import read_runs
from records import make_measured

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
BASE = {
    "dataset": "d",
    "model": "wrn-10-1",
    "split": "test",
    "n_train": 100,
    "n_extra": 0,
    "n_test": 2000,
    "steps": 500,
    "per_class": {"Bag": 90.0, "a|b": 50.0},
    "settings": "s",
}


def record(arm, seed, accuracy, **other):
    measured = make_measured(accuracy, other.get("n_test", BASE["n_test"]))
    return {**BASE, **measured, "arm": arm, "seed": seed, **other}


def files(folder, records):
    paths = []
    for i, one in enumerate(records):
        paths.append(folder / f"{i}.json")
        paths[-1].write_text(json.dumps(one))
    return paths


def runs(tmp_path, records):
    return read_runs(files(tmp_path, records))


def table1(table):
    return statistics.make_table(table, TABLES["table1"])


def text1(table, **settings):
    return report.format_markdown(table, "table1", digits=1, **settings)


def line_of(text, *cells):
    """The cells of the first row of a Markdown table that begins with these."""
    rows = ([c.strip() for c in x.split("|")[1:-1]] for x in text.splitlines() if x[:1] == "|")
    return next(row for row in rows if tuple(row[: len(cells)]) == cells)


def arm(name, accuracies, **other):
    return [record(name, seed, value, **other) for seed, value in enumerate(accuracies)]


def test_cell_by_hand(tmp_path):
    row = table1(runs(tmp_path, arm("ra", [70.0, 72.0, 74.0]))).iloc[0]
    assert (row["ra_mean"], row["ra_sd"], row["ra_n"]) == (72.0, 2.0, 3)


def test_gain_by_hand():
    """Differences 1, 2, 3: t = 2 / (1 / √3) = 3.464, 2 degrees of freedom, t_0.975 = 4.303."""
    gain = statistics.compare({0: 71.0, 1: 73.0, 2: 75.0}, {0: 70.0, 1: 71.0, 2: 72.0})
    assert gain.pairs == 3 and gain.gain == pytest.approx(2)
    assert gain.p == pytest.approx(0.0742, abs=5e-5)
    assert gain.low == pytest.approx(2 - 4.30265 / math.sqrt(3), abs=1e-4)
    assert gain.high == pytest.approx(2 + 4.30265 / math.sqrt(3), abs=1e-4)


def test_confidence_narrows_the_interval():
    ours, theirs = {0: 71.0, 1: 73.0, 2: 75.0}, {0: 70.0, 1: 71.0, 2: 72.0}
    wide, narrow = (statistics.compare(ours, theirs, confidence=c) for c in (0.95, 0.5))
    assert wide.low < narrow.low < narrow.gain < narrow.high < wide.high
    assert wide.p == narrow.p


def test_gain_is_paired_by_seed_whatever_the_order():
    """Unpaired, seed 9 would count, and the spread between seeds would drown the gain."""
    ours = {2: 90.5, 0: 50.4, 1: 70.6, 9: 1.0}
    gain = statistics.compare(ours, {1: 70.0, 2: 90.0, 0: 50.0, 7: 99.0})
    assert gain.pairs == 3 and gain.gain == pytest.approx(0.5) and gain.p < 0.02


@pytest.mark.parametrize("ours, pairs", [({0: 71.0}, 1), ({0: 71.0, 1: 72.1}, 2), ({5: 71.0}, 0)])
def test_no_test_where_there_is_no_spread(ours, pairs):
    gain = statistics.compare(ours, {0: 70.0, 1: 71.1})
    assert gain.pairs == pairs
    assert all(math.isnan(v) for v in (gain.p, gain.low, gain.high))
    assert math.isnan(gain.gain) if pairs == 0 else gain.gain == pytest.approx(1)


def test_each_arm_gains_over_its_own_baseline(tmp_path):
    level = {"baseline": 10, "faa": 20, "aa": 30, "ra": 40}
    gains = {"syn": 1, "faa+syn": 2, "aa+syn": 3, "ra+syn": 4}
    records = [r for name, v in level.items() for r in arm(name, [v, v + 1.0])]
    for name, over in TABLES["table1"].gains:
        records += arm(name, [level[over] + gains[name] - 0.5, level[over] + gains[name] + 1.5])
    row = table1(runs(tmp_path, records)).iloc[0]
    assert {name: round(row[f"{name}_gain"], 9) for name in gains} == gains


def test_what_was_not_run_is_empty_in_csv_and_said_in_markdown(tmp_path):
    table = runs(tmp_path, arm("ra", [70, 72.0]) + arm("ra+syn", [71, 74.0]))
    row = pd.read_csv(pd.io.common.StringIO(table1(table).to_csv(index=False))).iloc[0]
    assert math.isnan(row["faa_mean"]) and math.isnan(row["faa+syn_gain"])
    line = next(x for x in text1(table).splitlines() if "| d " in x)
    cells = [cell.strip() for cell in line.split("|")[1:-1]]
    assert cells[2:] == ["not run"] * 3 + ["71.0 ± 1.4 (2)"] + ["not run"] * 3 + ["72.5 ± 2.1 (2)"]


def test_markdown_has_the_papers_columns(tmp_path):
    text = text1(runs(tmp_path, arm("aa", [70.0])))
    heading = next(line for line in text.splitlines() if line.startswith("|"))
    assert [cell.strip() for cell in heading.split("|")[3:-1]] == [
        *("Baseline", "FAA", "AA", "RA"),
        *("Ours(Syn)", "Ours(FAA+Syn)", "Ours(AA+Syn)", "Ours(RA+Syn)"),
    ]


def test_one_seed_has_no_deviation_and_no_test(tmp_path):
    text = text1(runs(tmp_path, arm("ra", [70.0]) + arm("ra+syn", [69.0])))
    assert "70.0 (1)" in text and "nan" not in text
    line = next(x for x in text.splitlines() if "Ours(RA+Syn) | RA" in x)
    cells = [cell.strip() for cell in line.split("|")[5:-1]]
    assert cells[:-1] == ["−1.0", "–", "–", "1"] and cells[-1].startswith("[−")


def test_caption_says_what_was_measured(tmp_path):
    records = arm("ra", [70.0]) + arm("ra+syn", [71.0], n_extra=400, steps=1800)
    text = text1(runs(tmp_path, records))
    assert "test split" in text and "2,000 images evaluated" in text
    assert "500 (RA), 1,800 (Ours(RA+Syn))" in text and "extra images: 400" in text
    records = [{**r, "split": "validation"} for r in records]
    assert "not a test result" in text1(runs(tmp_path, records))


def test_rows_keep_the_order_of_the_runs_and_gains_are_averaged(tmp_path):
    records = []
    for model, gain in (("wrn-28-2", 1.0), ("wrn-10-1", 2.0)):
        records += arm("ra", [70, 71.0], model=model) + arm(
            "ra+syn", [70 + gain, 71 + gain], model=model
        )
    table = runs(tmp_path, records)
    assert list(table1(table)["model"]) == ["wrn-28-2", "wrn-10-1"]
    assert "Ours(RA+Syn) over RA +1.50 (2 rows)" in text1(table)


def test_diagnostics_compare_fine_tuned_with_pre_trained(tmp_path):
    records = arm("ra", [70, 71.0]) + arm("ra+syn", [73, 75.0]) + arm("ra+pretrained", [68, 69.5])
    table = runs(tmp_path, records)
    gains = statistics.compare_diagnostics(table).set_index(["arm", "over"])
    assert gains.loc[("ra+syn", "ra+pretrained"), "gain"] == pytest.approx(5.25)
    assert gains.loc[("ra+pretrained", "ra"), "gain"] == pytest.approx(-1.75)
    assert gains.loc[("ra+syn", "ra"), ["mean", "mean_over"]].tolist() == [74.0, 70.5]
    text = report.format_diagnostics(table, digits=2)
    assert "−1.75" in text and "RA + pre-trained" in text


def test_a_persons_own_arm_stands_in_the_diagnostics(tmp_path):
    records = arm("ra", [70, 71.0]) + arm("ra+wide", [73, 75.0]) + arm("mixup", [60.0])
    table = runs(tmp_path, records)
    gain = statistics.compare_diagnostics(table)
    assert gain[["arm", "over", "gain"]].values.tolist() == [["ra+wide", "ra", 3.5]]
    text = report.format_diagnostics(table, digits=1)
    assert "| ra+wide | RA" in text and "| mixup " in text


def test_controls_are_compared_with_what_they_control(tmp_path):
    """Policies by search against random ones; synthetic images against as many steps."""
    records = arm("random", [60, 61.0]) + arm("faa", [63, 63.0]) + arm("ra", [70, 71.0])
    records += arm("ra+long", [72, 73.0], steps=900) + arm("ra+syn", [73, 75.0], steps=900)
    table = runs(tmp_path, records)
    gain = statistics.compare_diagnostics(table).set_index(["arm", "over"])["gain"].to_dict()
    assert gain == {
        ("faa", "random"): 2.5,
        ("ra+syn", "ra"): 3.5,
        ("ra+long", "ra"): 2.0,
        ("ra+syn", "ra+long"): 1.5,
    }
    text = report.format_diagnostics(table, digits=1)
    assert "- Random policies: " in text and "RA + real: " not in text
    assert line_of(text, "d", "wrn-10-1", "RA, as many steps as with synthetic images")


@pytest.mark.parametrize(
    "change, says",
    [
        ({"split": "validation"}, "split differs"),
        ({"settings": "other"}, "settings differs"),
        ({"steps": 400}, "steps differs"),
        (make_measured(71.0, 1000), "n_test differs"),
        ({"test_set": "other"}, "test_set differs"),
        ({"seed": 0}, "the same run twice"),
    ],
)
def test_what_must_not_be_mixed_names_the_files(tmp_path, change, says):
    records = [record("ra", 0, 70.0), {**record("ra", 1, 71.0), **change}]
    with pytest.raises(ValueError, match=says) as error:
        runs(tmp_path, records)
    assert "1.json" in str(error.value)


def test_arms_of_different_length_are_compared_but_not_seeds_of_one_arm(tmp_path):
    records = arm("ra", [70.0, 71.0]) + arm("ra+syn", [70.0, 71.0], steps=900, settings="t")
    assert len(runs(tmp_path, records)) == 4


def test_a_cut_off_record_is_named(tmp_path):
    whole, cut, bare = tmp_path / "whole.json", tmp_path / "cut.json", tmp_path / "bare.json"
    whole.write_text(json.dumps(record("ra", 0, 70.0)))
    cut.write_text(whole.read_text()[:40])
    bare.write_text("{}")
    for path in (cut, bare):
        with pytest.raises(ValueError, match=path.name):
            read_runs([whole, path])
    with pytest.raises(ValueError, match="no runs"):
        read_runs([])


def script(stage, inputs, outputs, cfg, log):
    spec = importlib.util.spec_from_file_location(f"stage_{stage}", SCRIPTS / f"{stage}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    params = SimpleNamespace(cfg=cfg)
    module.main(
        SimpleNamespace(
            input=inputs,
            output=SimpleNamespace(**outputs),
            params=params,
            log=[str(log)],
            threads=1,
        )
    )


def outputs(folder, *kinds):
    return {kind: folder / f"table.{kind}" for kind in kinds}


def test_scripts_write_their_tables(tmp_path):
    records = arm("ra", [70, 71.0]) + arm("ra+syn", [73, 75.0]) + arm("ra+real", [80, 81.0])
    paths, cfg = files(tmp_path, records), {"digits": 1, "confidence": 0.95}
    out = outputs(tmp_path, "csv", "md", "tex", "runs")
    rows = [["later", "wrn-10-1"], ["d", "wrn-10-1"]]
    inputs = SimpleNamespace(runs=paths[:4], notices=[])
    script("tables", inputs, out, {**cfg, "number": "table3", "rows": rows}, tmp_path / "log")
    table = pd.read_csv(out["csv"])
    assert table["dataset"].tolist() == ["later", "d"]
    assert table["ra+syn_gain"].tolist()[1] == 3.5 and math.isnan(table["ra_mean"][0])
    assert "# Table 3" in out["md"].read_text() and "tab:table3" in out["tex"].read_text()
    long = pd.read_csv(out["runs"])
    assert len(long) == 4 and long["class: a|b"].tolist() == [50.0] * 4
    out = outputs(tmp_path, "csv", "md")
    script("diagnostics", paths, out, cfg, tmp_path / "log")
    assert pd.read_csv(out["csv"])["over"].tolist() == ["ra", "ra", "ra+real"]
    assert "RA + real" in out["md"].read_text()


@pytest.mark.parametrize("table", TABLES)
def test_every_table_has_its_columns_gains_and_rows(tmp_path, table):
    """Each arm at its own level: what stands where is told by the figures."""
    layout = TABLES[table]
    level = {name: 10.0 * (i + 1) for i, name in enumerate(layout.columns)}
    records = [r for name, v in level.items() for r in arm(name, [v - 0.5, v + 1.5])]
    records += arm("ra+real", [99.0])  # no column of any table
    done = runs(tmp_path, records)
    rows = [("before", "wrn-10-1"), ("d", "wrn-10-1")]
    frame = statistics.make_table(done, layout, rows)
    assert frame["dataset"].tolist() == ["before", "d"]
    assert frame[[f"{name}_mean" for name in level]].isna().all(axis=1).tolist() == [True, False]
    row, first = frame.iloc[1], {}
    for ours, over in layout.gains:
        key = f"{ours}_over_{over}" if ours in first else ours
        first.setdefault(ours, over)
        assert row[f"{key}_gain"] == pytest.approx(level[ours] - level[over])
        assert row[f"{key}_pairs"] == 2
    text = report.format_markdown(done, table, rows, digits=1)
    assert line_of(text, "before")[2:] == ["not run"] * len(level)
    assert line_of(text, "d")[2:] == [f"{v + 0.5:.1f} ± 1.4 (2)" for v in level.values()]
    assert line_of(text, "data set")[2:] == list(layout.columns.values())
    assert "99.0" not in text and text.count("\n\n\n") == 0


def test_gains_of_a_table_are_between_its_columns():
    for layout in TABLES.values():
        for ours, over in layout.gains:
            assert ours in layout.columns and over in layout.columns and ours != over
    assert set(TABLES["table5"].gains) >= {("aa+two_phase", "aa+rsp"), ("aa+rsp", "aa+combined")}


def test_table4_takes_the_synthetic_arm_where_all_its_images_are_fine_tuned(tmp_path):
    records = arm("aa", [70, 71.0]) + arm("aa+pretrained", [72, 73.0]) + arm("aa+syn", [75, 76.0])
    other = arm("aa", [50, 51.0], dataset="e") + arm("aa+syn", [60, 61.0], dataset="e")
    other += arm("aa+finetuned", [57, 58.0], dataset="e")
    done = runs(tmp_path, records + other)
    frame = statistics.make_table(done, TABLES["table4"]).set_index("dataset")
    assert frame["aa+finetuned_mean"].to_dict() == {"d": 75.5, "e": 57.5}
    assert frame.loc["d", "aa+finetuned_over_aa+pretrained_gain"] == pytest.approx(3)
    text = report.format_markdown(done, "table4", digits=1)
    assert "- d: AA+Syn(FT) is the arm `aa+syn`" in text and "- e: AA+Syn(FT)" not in text


def test_layouts_need_the_standard_library_alone():
    """The workflow reads them while it is parsed, on machines that only submit jobs."""
    code = (
        "import sys, mvc.config.table_columns\n"
        "sys.exit(bool({'pandas', 'numpy', 'scipy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=SCRIPTS).returncode == 0
    assert table_columns.choose_arms(TABLES["table5"], {"aa", "aa+rsp", "ra"}) == {
        "aa": "aa",
        "aa+rsp": "aa+rsp",
    }


def latex_rows(text):
    """The cells of each line of a tabular, and its column specification."""
    found = re.search(r"\\begin{tabular}{(\w+)}(.*)\\end{tabular}", text, re.S)
    lines = [line.strip() for line in found[2].splitlines() if "&" in line]
    assert all(line.endswith(r"\\") for line in lines)
    return found[1], [[c.strip() for c in re.split(r"(?<!\\)&", line[:-2])] for line in lines]


@pytest.mark.parametrize("table", TABLES)
def test_latex_is_balanced_and_has_a_cell_for_each_column(tmp_path, table):
    columns = TABLES[table].columns
    names = {"dataset": "a_b", "model": "50% & more #1 {x} ~^\\"}
    done = runs(tmp_path, [r for name in columns for r in arm(name, [70.25, 71.75], **names)])
    text = latex.format_latex(done, table, [("c$", "m")], digits=1)
    plan, (heads, absent, row) = latex_rows(text)
    assert len(plan) == len(heads) == len(absent) == len(row) == 2 + len(columns)
    assert absent == [r"c\$", "m", *["not run"] * len(columns)]
    assert row[0] == r"a\_b" and row[2:] == [r"$71.0 \pm 1.1$"] * len(columns)
    special = r"50\% \& more \#1 \{x\} \textasciitilde{}\textasciicircum{}\textbackslash{}"
    assert row[1] == special
    bare = re.sub(r"\\[{}$]", "", text)
    assert bare.count("{") == bare.count("}") and bare.count("$") % 2 == 0
    begun, ended = (re.findall(rf"\\{word}{{(\w+)}}", text) for word in ("begin", "end"))
    assert begun == ended[::-1] == ["table", "tabular"]
    for part in ("toprule", "midrule", "bottomrule", "caption", rf"label{{tab:{table}}}"):
        assert text.count("\\" + part) == 1
    assert "over 2 seeds" in text and text.isascii()


def test_tables_load_no_torch():
    code = "import sys, tables, diagnostics; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=SCRIPTS).returncode == 0


def test_a_table_is_aligned_and_shows_names_as_they_are():
    text = markdown.format_table(
        ["name", "value"], [["a|b", "1"], ["スカート", "−10.5"], ["é\\", "x"]]
    )
    lines = text.splitlines()
    assert len({markdown.count_columns(line) for line in lines}) == 1
    assert "a\\|b" in lines[2] and "é\\\\" in lines[4] and lines[2].endswith(" 1 |")
    with pytest.raises(ValueError, match="1 cells under 2"):
        markdown.format_table(["name", "value"], [["a"]])


def test_a_page_is_fitted_to_the_terminal():
    headings = ["name", "a|b", *"cdefgh"]
    table = markdown.format_table(headings, [["first", *"1234567"], ["second", *"abcdefg"]])
    page = f"# Title\n\n{table}\n\n" + "word " * 30
    assert markdown.fit(page, 200).splitlines()[2] == table.splitlines()[0]
    narrow = markdown.fit(page, 30).splitlines()
    assert max(map(len, narrow)) <= 30
    assert "| a\\|b |     1 |      a |" in narrow
    assert table.splitlines()[0] not in narrow
    assert markdown.fit(tall := markdown.format_table(["x" * 30], [["y"]] * 9), 20) == tall + "\n"


def test_a_table_too_wide_both_ways_is_cut_evenly_and_keeps_its_first_columns():
    table = markdown.format_table(["name", *"abcdefg"], [["first", *"1234567"]] * 9)
    parts = markdown.fit(table, 32).strip().split("\n\n")
    assert [line_of(part, "name")[1:] for part in parts] == [[*"ab"], [*"cd"], [*"efg"]]
    assert [line_of(part, "first")[1:] for part in parts] == [[*"12"], [*"34"], [*"567"]]
    assert all(len(line) <= 32 for part in parts for line in part.split("\n"))


@pytest.mark.parametrize(
    "value, sign, text",
    [(-1.25, True, "−1.2"), (0.04, True, "0.0"), (-0.04, False, "0.0"), (2.0, True, "+2.0")],
)
def test_numbers(value, sign, text):
    assert markdown.format_number(value, 1, sign=sign) == text


@pytest.mark.parametrize("p, text", [(0.0774, "0.077"), (0.0004, "< 0.001"), (0.5, "0.5")])
def test_p_values(p, text):
    assert markdown.format_p_value(p) == text
