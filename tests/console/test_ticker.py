"""What the running jobs are at, on the terminal."""

import pytest
from mvc.console.ticker import TAIL, Ticker, read_last_line


@pytest.fixture
def logs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "logs/photos"
    folder.mkdir(parents=True)
    return folder


def test_a_line_is_said_once_with_its_job(logs):
    said = []
    running = {3: ["logs/photos/unet.log", "slurm/7.log"], 4: ["logs/photos/images.log"], 5: []}
    ticker = Ticker(running, said.append)
    ticker.tell_progress()
    assert said == [], "no log yet"
    (logs / "unet.log").write_text("encoded\n")
    ticker.tell_progress()
    assert said == [], "neither progress nor an end"
    (logs / "unet.log").write_text("encoded\n10 of 300 steps  5.8/s  50 s left\n\n")
    for _ in range(2):
        ticker.tell_progress()
    assert said == ["photos/unet: 10 of 300 steps  5.8/s  50 s left"]
    (logs / "unet.log").write_text("photos/unet: 300 steps in 52 s (5.8/s)\n")
    ticker.tell_progress()
    assert said[1:] == ["photos/unet: 300 steps in 52 s (5.8/s)"]
    running.clear()
    (logs / "unet.log").write_text("anew\n")
    ticker.tell_progress()
    assert len(said) == 2


def test_further_lines_are_said_with_each_look(logs):
    said, more = [], [["synthetic: 1 of 2 jobs"], []]
    ticker = Ticker({}, said.append, lambda: more.pop(0))
    ticker.tell_progress()
    ticker.tell_progress()
    assert said == ["synthetic: 1 of 2 jobs"] and not more


def test_the_thread_ends_when_it_is_told_to(logs, monkeypatch):
    monkeypatch.setattr("mvc.console.ticker.PAUSE", 0.01)
    (logs / "unet.log").write_text("1,940 of 2,000 images  9.0/s")
    said = []
    ticker = Ticker({1: ["logs/photos/unet.log"]}, said.append)
    ticker.start()
    ticker.join(0.5)
    ticker.ended.set()
    ticker.join(10)
    assert (
        said == ["photos/unet: 1,940 of 2,000 images  9.0/s"]
        and not ticker.is_alive()
        and ticker.daemon
    )


def test_read_last_line_of_a_long_log(logs):
    (logs / "a.log").write_bytes(b"\xff" * 2 * TAIL + "\n12 × é\n".encode())
    assert read_last_line(logs / "a.log") == "12 × é"
    assert read_last_line(logs / "none.log") == ""
