"""A run that is killed again and again ends with the same files as one that is left alone."""

import base64
import csv
import hashlib
import io
import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from workflow_run import SNAKEMAKE, snakemake

pytestmark = pytest.mark.slow

TABLE = "results/tables/table1.csv"
SEED = int(os.environ.get("RESTART_SEED", "1"))  # of the moments
SECONDS = {"seconds"}  # keys and columns that tell how long something took
KILL, CTRL_C, TERM = signal.SIGKILL, signal.SIGINT, signal.SIGTERM
SHARDS = "synthetic/finetuned/?-of-2"
# What a run is stopped in, in the order in which the stages come, by which signal, and for how many
# seconds after the stage has opened its log (fine-tuning: has saved a state) it may go on.
STOPS = (
    ("images", KILL, 0.5),
    ("captions", KILL, 1.0),
    ("embeddings", KILL, 1.0),
    ("banks", CTRL_C, 0.5),
    ("unet", KILL, 1.0),
    ("unet state", KILL, 0.5),
    (SHARDS, KILL, 0.5),
    ("second shard", KILL, 0.0),  # a second may be enough for all of it
    ("classifiers/*/*/0", TERM, 0.5),
    ("classifiers/*/*+syn/0", KILL, 0.2),
    ("classifiers/*/*+syn/0", KILL, 0.2),
    ("tables/table1", KILL, 0.0),  # the last job: the run must not end first
)


@pytest.fixture(scope="module")
def folder(built, tmp_path_factory) -> Path:
    """The project of `built` before anything is built.

    Its fine-tuning saves after the first step, and then waits while there is a file `hold`.
    """
    folder = tmp_path_factory.mktemp("killed") / "project"
    shutil.copytree(built, folder, ignore=shutil.ignore_patterns("results", "logs", ".snakemake"))
    module = folder / "workflow/scripts/mvc/core/checkpoint.py"
    text, n = re.subn(r"^SAVE_SECONDS = \d+", "SAVE_SECONDS = 0", module.read_text(), flags=re.M)
    assert n == 1
    module.write_text(text)
    module = folder / "workflow/scripts/mvc/unet/trainer.py"
    text = module.read_text()
    saving = "                    self.save_checkpoint(path)\n"
    assert text.count(saving) == 1
    waiting = (
        f'{saving}                    while Path("hold").exists():\n{" " * 24}time.sleep(0.01)\n'
    )
    module.write_text(text.replace(saving, waiting))
    return folder


def reached(folder: Path, stage: str, since: float) -> bool:
    """Whether a run that began at `since` has come to a stage of `STOPS`."""
    root = folder / "results/photos"
    if stage == "unet state":
        return reached(folder, "unet", since) and any(
            (root / "unet").glob(".*.checkpoint-*.safetensors")
        )
    if stage == "second shard":
        there = [(root / f"{SHARDS.replace('?', i)}.parquet").is_file() for i in "01"]
        other = SHARDS.replace("?", "0" if there[1] else "1")
        return sum(there) == 1 and reached(folder, other, since)
    place = "logs" if stage.startswith("tables") else "logs/photos"
    return any(log.stat().st_mtime > since for log in (folder / place).glob(f"{stage}.log"))


def stop(folder: Path, stage: str, number: int, delay: float, *options: str) -> None:
    """Start snakemake and send it a signal at a moment: SIGTERM to itself, others to its jobs, too.

    It lets its jobs finish after a SIGTERM, and ends them after Ctrl-C.
    """
    since, said = time.time(), folder / "said.txt"
    command = [*SNAKEMAKE, "--cores", "2", TABLE, *options]
    with said.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    while not reached(folder, stage, since):
        assert process.poll() is None, f"ended before {stage}: {said.read_text()[-5000:]}"
        time.sleep(0.01)
    time.sleep(delay)
    assert process.poll() is None, f"ended before the signal: {said.read_text()[-5000:]}"
    (os.kill if number == TERM else os.killpg)(process.pid, number)
    assert process.wait(300) != 0, said.read_text()[-5000:]
    while living(folder):
        time.sleep(0.05)


def living(folder: Path) -> list[str]:
    """Processes that work in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == folder:
                found.append(process.name)
        except OSError:
            continue  # it has ended, or is another user's
    return found


def finished(folder: Path) -> dict[str, int]:
    """When each file was written that Snakemake holds for finished."""
    marks = (folder / ".snakemake/incomplete").rglob("*")
    marked = {"".join(m.parts[m.parts.index("incomplete") + 1 :]) for m in marks if m.is_file()}
    begun = {base64.urlsafe_b64decode(m.replace("@", "")).decode() for m in marked}
    done = (f for f in outputs(folder) if f not in begun and not Path(f).name.startswith("."))
    return {f: (folder / f).stat().st_mtime_ns for f in done}


def outputs(folder: Path) -> list[str]:
    """All files below results but the benchmarks, hidden ones too."""
    files = (f for f in (folder / "results").rglob("*") if f.is_file())
    names = sorted(f.relative_to(folder).as_posix() for f in files)
    return [name for name in names if not name.startswith("results/benchmarks/")]


def digest(path: Path) -> str:
    """A digest of a file's bytes, or of what a record of runs says besides how long they took."""
    data = path.read_bytes()
    if path.suffix == ".json":
        record = json.loads(data)
        if isinstance(record, dict):
            data = repr([(k, v) for k, v in record.items() if k not in SECONDS]).encode()
    if path.suffix == ".csv":
        rows = csv.DictReader(io.StringIO(data.decode()))
        data = repr([[(k, v) for k, v in row.items() if k not in SECONDS] for row in rows]).encode()
    return hashlib.sha256(data).hexdigest()


def test_a_run_stopped_again_and_again_ends_with_the_same_files(built, folder):
    """Ten kills at random moments, a Ctrl-C and a SIGTERM: nothing is lost, changed or redone."""
    draw, kept, lock = random.Random(SEED), [], folder / ".snakemake/locks"
    for stage, number, longest in STOPS:
        delay = draw.uniform(0, longest)
        if stage == "unet state":
            (folder / "hold").touch()  # fine-tuning does not end before the signal
        print(f"RESTART_SEED={SEED}: {number.name} {delay:.3f} s after the beginning of {stage}")
        one = ["--cores", "1"] if stage == "second shard" else []
        stop(folder, stage, number, delay, *one)
        (folder / "hold").unlink(missing_ok=True)
        kept.append(finished(folder))
        assert lock.exists() == (number == KILL), "other signals leave no lock"
        if len(kept) == 1:
            assert "--unlock" in snakemake(folder, TABLE, ok=False)
            snakemake(folder, "--unlock")
        shutil.rmtree(lock, ignore_errors=True)  # what --unlock does, without its four seconds
    snakemake(folder, TABLE)
    assert "resumes at" in (folder / "logs/photos/unet.log").read_text()
    made = outputs(folder)
    assert set(made) <= set(outputs(built)), "something was left behind"
    assert {f: digest(folder / f) for f in made} == {f: digest(built / f) for f in made}
    for times in kept:
        assert times == {f: (folder / f).stat().st_mtime_ns for f in times}, "finished, yet redone"
    shards = {f for f in made if "/synthetic/" in f}
    assert len(shards) == 2 and any(len(shards & set(times)) == 1 for times in kept)
