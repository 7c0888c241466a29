"""Every benchmark runs to its end, with as little work as it can do."""

import runpy
import sys

import pytest
import torch
from project_tree import REPO

FOLDER = REPO / "benchmarks"
SCRIPTS = sorted(file.stem for file in FOLDER.glob("*.py") if file.stem != "race")


@pytest.fixture(autouse=True)
def keep_threads():
    """Benchmarks choose their number of threads."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", SCRIPTS)
def test_benchmark_runs_and_prints_a_ratio(name, monkeypatch, capsys):
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--tiny"])
    runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
    last = capsys.readouterr().out.splitlines()[-1]
    assert "faster" in last or "times" in last
