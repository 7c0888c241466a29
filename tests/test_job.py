"""What every stage says in its log: progress, what was made, what went wrong."""

import sys
from types import SimpleNamespace

import pytest
from mvc.console import progress as progress_module
from mvc.console.progress import Meter, format_duration, format_rate, progress, summarise
from mvc.job import stage_log


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
