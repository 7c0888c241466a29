"""What every stage says in its log: progress, what was made, what went wrong."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mvc.console import progress as progress_module
from mvc.console.progress import Meter, format_duration, format_rate, progress, summarise
from mvc.job import count_gpus, stage_log
from project_tree import REPO


class Clock:
    """A clock that a test moves."""

    def __init__(self, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr(progress_module.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


@pytest.fixture
def job(tmp_path, monkeypatch):
    """A job of a stage, as Snakemake gives it to a script, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    (tmp_path / "logs/photos").mkdir(parents=True)
    return SimpleNamespace(log=["logs/photos/unet.log"], threads=1, params=SimpleNamespace(cfg={}))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (0.44, "0.4 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (200, "3 min 20 s"),
        (3599.7, "1 h 0 min"),
        (7500, "2 h 5 min"),
        (90 * 3600, "90 h 0 min"),
    ],
)
def test_format_duration_is_readable(seconds, text):
    assert format_duration(seconds) == text


def test_a_rate_is_at_least_one_a_unit():
    assert format_rate(200, 25) == "8.0/s"
    assert format_rate(10, 40) == "15.0/min"
    assert format_rate(2, 3600) == "2.0/h"
    assert format_rate(1, 7200) == "0.5/h"
    assert format_rate(5000, 2) == "2,500.0/s"


def test_a_line_says_how_far_how_fast_and_how_long(clock, capsys):
    meter = Meter(1500, "steps")
    clock.now += 100
    meter.show(500, "loss 0.1234")
    assert capsys.readouterr().out == "500 of 1,500 steps  5.0/s  3 min 20 s left  loss 0.1234\n"
    clock.now += 200
    meter.show(1500)
    assert capsys.readouterr().out == "1,500 of 1,500 steps  5.0/s  in 5 min 0 s\n"


def test_what_was_done_before_does_not_count_for_the_rate(clock, capsys):
    meter = Meter(1000, "steps", start=900)
    clock.now += 10
    meter.show(950)
    assert capsys.readouterr().out == "950 of 1,000 steps  5.0/s  10 s left\n"


def test_the_first_line_comes_after_five_seconds_and_the_last_at_once(clock, capsys):
    meter = Meter(10, "images")
    for seconds, done in ((4.9, 1), (0.1, 2), (4.9, 3), (0, 10)):
        clock.now += seconds
        assert meter.is_due(done) == (done in (2, 10))
        meter.show(done)
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["2", "10"]


def test_twenty_hours_have_a_log_that_can_be_read(clock, capsys):
    steps, seconds = 60_000, 20 * 3600
    meter, said = Meter(steps, "steps"), []
    for done in range(1, steps + 1):
        clock.now += seconds / steps
        if meter.is_due(done):
            said.append(clock.now)
        meter.show(done)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(said) and 200 < len(lines) < 400
    pauses = [after - before for before, after in zip(said, said[1:], strict=False)]
    assert min(pauses[:-1]) >= 5 and max(pauses) < 302, "and a user never waits long"


def test_nothing_to_do_says_nothing(clock, capsys):
    Meter(0, "images").show(0)
    assert capsys.readouterr().out == ""


def test_progress_passes_on_and_counts(clock, capsys):
    batches = [[1, 2], [3, 4], [5]]
    assert list(progress(iter(batches), total=5, unit="images", count=len)) == batches
    assert capsys.readouterr().out.startswith("5 of 5 images  ")
    assert list(progress("ab", total=2, unit="letters")) == ["a", "b"]
    assert capsys.readouterr().out.startswith("2 of 2 letters  ")


def test_the_last_line_says_what_was_made(job, tmp_path):
    with stage_log(job) as made:
        print("at work")
        made(1500, "steps", "loss 0.1")
    first, last = (tmp_path / job.log[0]).read_text().splitlines()
    assert first == "at work"
    assert last.startswith("photos/unet: 1,500 steps in 0.") and last.endswith("; loss 0.1")
    with stage_log(job):
        pass
    assert (tmp_path / job.log[0]).read_text().startswith("photos/unet: done in 0."), "anew"
    assert summarise(25, 200, "images") == "200 images in 25 s (8.0/s)"


def test_what_another_process_adds_to_the_log_stays(job, tmp_path):
    with stage_log(job) as made:
        with open(job.log[0], "a", encoding="utf-8") as other:
            other.write("from another process\n")
        made(1, "step")
    assert (tmp_path / job.log[0]).read_text().startswith("from another process\nphotos/unet: 1 st")


def test_a_failure_is_reported_in_the_log_and_pointed_at_on_the_terminal(job, tmp_path, capsys):
    with pytest.raises(ValueError, match="unet.steps"):
        with stage_log(job):
            raise ValueError("unet.steps = 0; must be >= 1")
    text = (tmp_path / job.log[0]).read_text()
    assert text.startswith("Traceback") and "in test_a_failure" in text
    assert text.endswith("ValueError: unet.steps = 0; must be >= 1\n")
    sys.excepthook(ValueError, ValueError("…"), None)  # as the interpreter does at its end
    assert capsys.readouterr().err == "failed: see logs/photos/unet.log\n"


# A job of a stage in a process of its own, on a machine that seems to have that many GPUs: it says
# which it sees, and holds them until its input ends.
GPU_JOB = """import os, sys
from types import SimpleNamespace
import torch
from mvc.job import stage_log
def count():
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0,1,2")
    return len(visible.split(","))
torch.cuda.device_count = count
log, gpus = sys.argv[1:]
job = SimpleNamespace(
    log=[log], threads=1, params=SimpleNamespace(), resources=SimpleNamespace(gpu=int(gpus))
)
out = sys.stdout
with stage_log(job):
    print(os.environ.get("CUDA_VISIBLE_DEVICES"), torch.cuda.device_count(), file=out, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def start_job(tmp_path):
    """Start jobs that hold GPUs; returns a process and the GPUs that it sees."""
    script, jobs = tmp_path / "job.py", []
    script.write_text(GPU_JOB)
    (tmp_path / "logs").mkdir()

    def start(gpus: int, **variables: str) -> tuple[subprocess.Popen, str]:
        folders = {"PYTHONPATH": str(REPO / "workflow/scripts"), "TMPDIR": str(tmp_path)}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        environment = {
            key: value for key, value in os.environ.items() if not key.startswith("CUDA")
        }
        job = subprocess.Popen(
            [sys.executable, str(script), str(tmp_path / f"logs/{len(jobs)}.log"), str(gpus)],
            env={**environment, **folders, **variables},
            text=True,
            **pipes,
        )
        jobs.append(job)
        return job, job.stdout.readline().split()[0]

    yield start
    for job in jobs:
        job.communicate(timeout=60)


@pytest.mark.slow
def test_each_job_has_a_gpu_of_its_own_until_it_ends(start_job, tmp_path):
    first, second, pair = (start_job(gpus) for gpus in (1, 1, 2))
    assert [first[1], second[1]] == ["0", "1"]
    assert pair[1] == "2,0", "a free one, then the first of those with one user"
    assert "which other jobs use, too: 1 " in (tmp_path / "logs/2.log").read_text()
    second[0].kill()  # nothing is left for it to tidy up
    second[0].wait()
    assert start_job(1)[1] == "1"
    first[0].communicate(timeout=60)
    assert start_job(1)[1] == "0"


@pytest.mark.slow
def test_a_job_chooses_among_the_gpus_that_it_sees(start_job):
    names = "GPU-5d1c,MIG-GPU-77/1/0"
    found = [start_job(1, CUDA_VISIBLE_DEVICES=names)[1] for _ in range(2)]
    assert found == names.split(",")
    assert start_job(1, CUDA_VISIBLE_DEVICES="7")[1] == "7"
    assert start_job(4, CUDA_VISIBLE_DEVICES="7,5")[1] == "5,7", "all that there are"
    assert start_job(0)[1] == "None", "a stage that asks for none is left alone"


def test_a_job_s_gpus_end_with_it(job, monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    job.resources = SimpleNamespace(gpu=1)
    with pytest.raises(ValueError, match="no"), stage_log(job):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "4"
        raise ValueError("no")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "4,6"


@pytest.mark.parametrize(
    ("visible", "count"), [(None, 2), ("0", 1), ("", 0), ("1, GPU-5d1c,7", 2), ("1,0", 2)]
)
def test_count_gpus_counts_what_a_run_may_use(monkeypatch, visible, count):
    found = [Path("/dev/nvidia0"), Path("/dev/nvidia1")]
    monkeypatch.setattr(Path, "glob", lambda self, pattern: found)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert count_gpus() == count


def test_count_gpus_counts_one_under_windows(monkeypatch, tmp_path):
    monkeypatch.setattr(Path, "glob", lambda self, pattern: [])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("mvc.job.WSL", tmp_path / "libcuda.so.1")
    assert count_gpus() == 0
    (tmp_path / "libcuda.so.1").touch()
    assert count_gpus() == 1
