"""Whether a run is alive: a lock that ends with its process, however it ends."""

import signal
import subprocess
import sys
from contextlib import ExitStack

import pytest
from mvc.console.alive import check_alive, hold_lock
from project_tree import REPO

HOLD = """
import pathlib, sys
from mvc.console.alive import hold_lock
held = hold_lock(pathlib.Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def file(tmp_path):
    return tmp_path / ".snakemake" / "mvc.alive"


def test_is_alive_until_the_process_is_killed(file):
    command = [sys.executable, "-c", HOLD, str(file)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=REPO / "workflow/scripts", **pipes) as run:
        assert run.stdout.readline() == b"held\n"
        assert check_alive(file) is True
        run.send_signal(signal.SIGKILL)
        run.wait()
        assert check_alive(file) is False


def test_is_alive_while_one_of_two_runs_is(file):
    with ExitStack() as first:
        first.enter_context(hold_lock(file))
        with hold_lock(file):
            first.close()
            assert check_alive(file) is True
    assert check_alive(file) is False


def test_is_alive_does_not_judge_what_it_cannot_know(file, monkeypatch):
    assert check_alive(file) is None, "no run has written it"
    with monkeypatch.context() as patch:
        patch.setattr("socket.gethostname", lambda: "node7")
        hold_lock(file).close()
    assert file.read_text() == "node7" and check_alive(file) is None, "another machine's"


def test_hold_lock_writes_no_file_where_there_are_no_locks(file, monkeypatch):
    def refuse(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", refuse)
    hold_lock(file).close()
    assert not file.exists()
