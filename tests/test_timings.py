"""What stages cost, read from the workflow's benchmark files."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "workflow/scripts/timings.py"


def put(path, seconds, memory, end):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:01\t{memory}\n")
    os.utime(path, (end, end))


def test_jobs_of_a_stage_are_summed_in_the_order_they_ran(tmp_path):
    put(tmp_path / "mine/unet.tsv", 20.5, 900, end=20)
    put(tmp_path / "mine/captions.tsv", 3, "-", end=10)
    put(tmp_path / "mine/classifiers/wrn-10-1/ra/0.tsv", 5, 100, end=30)
    put(tmp_path / "mine/classifiers/wrn-10-1/ra/1.tsv", 7, 300, end=31)
    put(tmp_path / "tables/table1.tsv", 1, 50, end=40)
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path)], capture_output=True, text=True, check=True
    )
    _, *lines = done.stdout.splitlines()
    assert [line.split() for line in lines] == [
        ["captions", "1", "3.0", "3.0", "nan"],
        ["unet", "1", "20.5", "20.5", "900"],
        ["classifiers", "2", "12.0", "7.0", "300"],
        ["tables", "1", "1.0", "1.0", "50"],
    ]
