"""Every benchmark runs to its end, with as little work as it can do, and the page holds them."""

import json
import runpy
import sys

import pytest
import torch
from project_tree import REPO

FOLDER = REPO / "benchmarks"
sys.path.insert(0, str(FOLDER))

import results  # noqa: E402
from race import Record, format_size  # noqa: E402

HELPERS = {"race", "per_image", "results"}


@pytest.fixture(autouse=True)
def keep_threads():
    """Benchmarks choose their number of threads."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_scripts_are_all_that_there_are():
    assert {file.stem for file in FOLDER.glob("*.py")} == {*results.SCRIPTS, *HELPERS}


@pytest.mark.parametrize("name", results.SCRIPTS)
def test_benchmark_runs_and_records_ratios(name, monkeypatch, capsys, tmp_path):
    file = tmp_path / "records.jsonl"
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--tiny", "--records", str(file)])
    runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
    assert "times" in capsys.readouterr().out.splitlines()[-1]
    records = [Record(**json.loads(line)) for line in file.read_text().splitlines()]
    assert records
    for record in records:
        assert record.script == f"{name}.py"
        assert min(record.ours_size, record.other_size) > 0
        assert len(results.tabulate_record(record)) == len(results.HEADINGS)


def make_record(**changes):
    sizes = {"unit": "s", "ours_size": 0.5, "other_size": 2.0, "ours_cpu": 1.0, "other_cpu": 3.0}
    return Record("a.py", "a step", "ours", "theirs", **{**sizes, "goal": 5.0, **changes})


def test_tabulate_record_gives_ratios_of_both_clocks():
    row = results.tabulate_record(make_record())
    assert row[3:] == ["5.00 x", "4.00 x", "500 ms", "2.00 s", "3.00 x"]
    without = results.tabulate_record(make_record(ours_cpu=None, other_cpu=None, goal=None))
    assert without[3] == without[-1] == ""


def test_write_verdict_names_missed_goals():
    line = results.write_verdict([make_record(), make_record(goal=3.0), make_record(goal=None)])
    assert line.startswith("1 of 2 goals")
    assert line.count("\n") == 1 and "4.00 x of 5.00 x" in line


def test_main_writes_the_page(monkeypatch, tmp_path):
    page = tmp_path / "results.md"
    monkeypatch.setattr(results, "run_benchmarks", lambda arguments: [make_record()])
    monkeypatch.setattr(sys, "argv", ["results.py", "--output", str(page)])
    results.main()
    text = page.read_text(encoding="utf-8")
    for fact in ("Machine: ", "Commit: ", "PyTorch", "| a step", "0 of 1 goals"):
        assert fact in text


@pytest.mark.parametrize(
    ("size", "unit", "text"),
    [
        (0.0123, "s", "12.3 ms"),
        (1.234, "s", "1.23 s"),
        (150, "s", "150 s"),
        (508_000, "B", "508 kB"),
        (1.892e9, "B", "1,892 MB"),
    ],
)
def test_format_size(size, unit, text):
    assert format_size(size, unit) == text
