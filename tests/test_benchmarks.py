"""Every benchmark runs to its end, with as little work as it can do, and the page holds them."""

import importlib
import json
import re
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
    scripts = {*results.SCRIPTS, "real_models", "scale"}  # for a GPU, and for an hour
    assert {file.stem for file in FOLDER.glob("*.py")} == {*scripts, *HELPERS}


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


def test_scale_prints_a_row_per_size_and_stage(monkeypatch, capfd, tmp_path):
    options = ["--images", "20", "40", "--folder", str(tmp_path), "--target", "images/report.json"]
    monkeypatch.setattr(sys, "argv", ["scale.py", *options])
    runpy.run_path(str(FOLDER / "scale.py"), run_name="__main__")
    rows = [line.split("|")[1:3] for line in capfd.readouterr().out.splitlines() if "|" in line]
    found = [(size.strip(), stage.strip()) for size, stage in rows]
    assert found[2:] == [("20", "images"), ("40", "images")]


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


@pytest.fixture
def real_models():
    """The script for machines with a GPU; its imports take seconds."""
    return importlib.import_module("real_models")


@pytest.mark.slow
def test_real_models_writes_both_tables(real_models, monkeypatch, tmp_path):
    """On the miniature, without a GPU: memory is counted and times are measured."""
    page = tmp_path / "results/real-models.md"
    monkeypatch.setattr(sys, "argv", ["real_models.py", "--tiny", "--output", str(page)])
    real_models.main()
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Real models on no GPU\n") and "Commit: " in text
    rows = [line.strip("| ").split("|") for line in text.splitlines() if line.startswith("| 32 ")]
    cells = [[cell.strip() for cell in row] for row in rows]
    training, sampling = cells[:5], cells[5:]
    ways = [tuple(row[1:3]) for row in training]
    ours = [(kind, again) for kind in ("lora, rank 16", "full") for again in ("no", "yes")]
    assert ways == [*ours, ("full, by diffusers", "no")]
    assert all(float(row[5]) > 0.5 for row in training[:4]) and training[4][5] == "–"
    assert [row[2] for row in sampling] == ["2", "6"], "evaluations of the U-Net"
    for row in cells:
        assert row[-2] == "–" and re.fullmatch(r"[\d.]+ m?s", row[-1])


class Accelerator:
    """Keeps what it prepared, as accelerate does."""

    def __init__(self):
        self.prepared = []

    def free_memory(self):
        self.prepared.clear()


def test_measure_halves_what_exceeds_the_memory(real_models):
    accelerator, kept = Accelerator(), []

    def build(most):
        def make(at_once):
            kept.append((at_once, len(accelerator.prepared)))
            accelerator.prepared.append("an optimizer")
            if at_once > most:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return lambda: None

        return make

    way = dict(repeats=1, accelerator=accelerator)
    assert real_models.measure(build(3), most=8, **way).at_once == 2
    assert kept == [(8, 0), (4, 0), (2, 0)], "what did not fit is let go"
    assert real_models.measure(build(0), most=8, **way) is None
    assert real_models.format_measured(None) == ["–", "–"]
    with pytest.raises(RuntimeError, match="a fault"):
        real_models.measure(lambda _: fail, most=1, **way)


def fail():
    raise RuntimeError("a fault")


def test_measure_peak_adds_what_else_is_on_the_card(real_models, monkeypatch):
    """Of 24 GB 9 are free and 12 PyTorch's, which were 14 at most: 3 are others' and CUDA's own."""
    asked = dict(is_available=True, mem_get_info=(9e9, 24e9))
    asked |= dict(memory_reserved=12e9, max_memory_reserved=14e9)
    for name, value in asked.items():
        monkeypatch.setattr(torch.cuda, name, lambda value=value: value)
    assert real_models.measure_peak() == pytest.approx(17.0)
