"""Several processes share the updates of fine-tuning, end together and leave what one does."""

import re
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
import tuning
from mvc.unet import launch
from safetensors.torch import load_file
from workflow_run import snakemake

STEPS = 80
# Gradients are summed in another order, and Adam carries the last bits of a float32 on.
LOSS, WEIGHTS = dict(rtol=2e-5), dict(rtol=0, atol=1e-5)


def finished(folder: Path, name: str, count: int) -> Path:
    """A run of the script by that many processes, to its end."""
    status, said = tuning.ended(tuning.start(folder, folder / name, count, steps=STEPS))
    assert status == 0, said
    return folder / name


def stopped(folder: Path, name: str, count: int) -> Path:
    """A run to which SIGTERM comes while it trains."""
    out = folder / name
    process = tuning.start(folder, out, count, steps=STEPS)
    while "training starts" not in tuning.log(out) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    status, said = tuning.ended(process)
    assert status == 1 and "stopped by SIGTERM" in said and "Traceback" not in said
    assert not (out / tuning.OUTPUTS["weights"]).exists()
    return out


def resumed(stopped: Path, name: str, count: int) -> Path:
    """A stopped run that that many processes resume; the stopped one stays as it is."""
    shutil.copytree(stopped, stopped.parent / name)
    return finished(stopped.parent, name, count)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Runs of one and of two processes, whole, stopped and taken up by as many or by others."""
    folder = tmp_path_factory.mktemp("tuning")
    tuning.inputs(folder)
    with ThreadPoolExecutor(2) as pool:
        kinds = [(make, count) for make in (finished, stopped) for count in (1, 2)]
        first = [pool.submit(make, folder, f"{make.__name__}-{n}", n) for make, n in kinds]
        for run in first:
            run.result()
        pairs = [(1, 1), (1, 2), (2, 1)]
        then = [
            pool.submit(resumed, folder / f"stopped-{a}", f"resumed-{a}-{b}", b) for a, b in pairs
        ]
        for run in then:
            run.result()
    return folder


def losses(out: Path) -> np.ndarray:
    return np.loadtxt(out / tuning.OUTPUTS["losses"], delimiter=",", skiprows=1)[:, 1]


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / tuning.OUTPUTS["weights"])


@pytest.mark.slow
@pytest.mark.parametrize("run", ["finished-2", "resumed-1-2", "resumed-2-1"])
def test_two_processes_train_as_one(runs, run):
    assert len(losses(runs / run)) == STEPS
    np.testing.assert_allclose(losses(runs / run), losses(runs / "finished-1"), **LOSS)
    torch.testing.assert_close(weights(runs / run), weights(runs / "finished-1"), **WEIGHTS)


@pytest.mark.slow
def test_one_process_goes_on_bit_for_bit(runs):
    for file in ("weights", "losses", "config"):
        name = tuning.OUTPUTS[file]
        assert (runs / "resumed-1-1" / name).read_bytes() == (
            runs / "finished-1" / name
        ).read_bytes(), name


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2])
def test_a_stopped_run_says_where_and_how_to_go_on(runs, count):
    said = tuning.log(runs / f"stopped-{count}")
    saved = "the checkpoint is saved, run again to resume"
    line = rf"^stopped by SIGTERM at step (\d+) of {STEPS}; {saved}$"
    (step,) = re.findall(line, said, re.M)
    assert 0 < int(step) < STEPS
    assert f"training resumes at step {step}\n" in tuning.log(runs / f"resumed-{count}-1")
    assert [*(runs / f"stopped-{count}").glob(".*.checkpoint-*")]
    assert not [*(runs / f"resumed-{count}-1").glob(".*.checkpoint-*")]


@pytest.mark.slow
def test_the_log_has_each_line_once(runs):
    one, two = (
        [re.sub(r"[\d.,]+( m?s)?", "0", line) for line in text.splitlines() if " left" not in line]
        for text in (tuning.log(runs / f"finished-{count}") for count in (1, 2))
    )
    assert len(two) == len(one) == len(set(one)) and two[:-1] == one[:-1]


@pytest.mark.slow
def test_the_error_of_one_process_ends_all(tmp_path):
    """The second fails, and the first in its wait for it: the second's error is told."""
    log = tmp_path / "log"
    with pytest.raises(RuntimeError) as failed:
        launch.launch(tuning.fail_in_second, 7, processes=2, threads=2, log=log)
    said = str(failed.value)
    assert said.startswith("one of the processes failed:\n\nTraceback")
    assert said.endswith("ValueError: no luck with 7")
    assert log.read_text() == "at work with 1 thread\n"
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.slow
def test_a_process_that_the_system_kills_is_told(tmp_path):
    with pytest.raises(RuntimeError, match="processes failed: Signal 9 .SIGKILL. received by PID"):
        launch.launch(tuning.fail_in_second, None, processes=2, threads=2, log=tmp_path / "log")


def test_one_process_is_a_direct_call(tmp_path):
    assert launch.launch(max, 2, 3, processes=1, threads=1, log=tmp_path / "log") == 3
    assert not (tmp_path / "log").exists()


def test_too_few_gpus_are_told(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ValueError, match="unet.processes = 4; must be <= 2"):
        launch.launch(max, 2, 3, processes=4, threads=4, log=tmp_path / "log")


@pytest.mark.slow
def test_the_workflow_starts_several_processes(copied):
    """Snakemake runs a copy of the script: its processes find the library and do not run it."""
    (copied / "two.yaml").write_text("unet: {processes: 2}\n", encoding="utf-8")
    before = losses(copied / "results/photos/unet")
    target = "results/photos/unet/loss.csv"
    snakemake(copied, "--configfile", "two.yaml", "--force", "--", target)
    np.testing.assert_allclose(losses(copied / "results/photos/unet"), before, **LOSS)
    said = (copied / "logs/photos/unet.log").read_text(encoding="utf-8")
    assert said.count("training starts at step 0") == 1
