"""`status` by a Python without Snakemake: that of `.venv` where there is one, else the logs."""

import ast
import subprocess
import sys

import pytest
from project_tree import REPO, copy_parts

TRACEBACK = 'Traceback (most recent call last):\n  File "a"\nValueError: no\n'
LOGS = {
    "photos/images.log": "photos/images: 12 images in 0.1 s (120.0/s)\n",
    "photos/unet.log": TRACEBACK,
    "photos/classifiers/wrn/ra/0.log": "photos/classifiers/wrn/ra/0: done in 9 s\n",
    "photos/classifiers/wrn/ra/1.log": "7 of 9 steps  1.0/s  2.0 s left\n",
    "tables/table1.log": "tables/table1: done in 0.1 s\n",
}


@pytest.fixture
def clone(tmp_path):
    """The project's files alone, as a clone has them."""
    copy_parts(REPO, tmp_path / "clone")
    return tmp_path / "clone"


def run_bare(folder) -> list[str]:
    """Lines of `status` by a Python that has nothing but its standard library."""
    command = [sys.executable, "-S", "workflow/scripts/status.py", "--", "tables"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert not done.stderr
    return done.stdout.splitlines()


def test_status_of_a_fresh_clone(clone):
    first, *more = run_bare(clone)
    assert first == "Nothing has run here yet." and "`make environment`" in more[-1]
    assert not (clone / ".venv").exists()


def test_status_from_the_logs_alone(clone):
    for name, text in LOGS.items():
        log = clone / "logs" / name
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(text, encoding="utf-8")
    lines = [" ".join(line.split()) for line in run_bare(clone)]
    assert lines[:6] == [
        "photos: images 1 of 1 done",
        "photos: unet 0 of 1 1 failed: ValueError: no (logs/photos/unet.log)",
        "photos: classifiers 1 of 2 1 stopped: 7 of 9 steps 1.0/s 2.0 s left",
        "all together: tables 1 of 1 done",
        "",
        "3 of 5 jobs done; 1 failed; 1 stopped",
    ]


def test_status_goes_on_with_the_environment_s_python(clone):
    python = clone / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n", encoding="utf-8")
    python.chmod(0o755)
    assert run_bare(clone) == ["workflow/scripts/status.py", "--", "tables"]


@pytest.mark.parametrize(
    "file",
    ["status.py", "mvc/__init__.py", "mvc/console/__init__.py", "mvc/console/environment.py"],
)
def test_an_older_python_reads_what_comes_before_the_environment_s(file):
    text = (REPO / "workflow/scripts" / file).read_text(encoding="utf-8")
    assert ast.parse(text, feature_version=(3, 9))
