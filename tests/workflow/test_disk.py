"""A full disk and a read-only one: clear errors, nothing half written, and the remedy works."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from project_tree import REPO

pytestmark = pytest.mark.slow

SHARD = "results/photos/synthetic/finetuned/1-of-2.parquet"
MOUNT = 'mount -t tmpfs -o size=16m disk "$0" && echo mounted && exec sleep infinity'
# What the stages write with: each line writes `t` or `a`, more than a page, to `path`.
WRITERS = """
import sys, numpy, pandas, pyarrow, pyarrow.parquet, torch
from PIL import Image
from safetensors.torch import save_file
from mvc.core.atomic import atomic
a = numpy.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype="uint8")
for name, write in {
    "text": lambda path: path.write_text("x" * 99_999),
    "parquet": lambda path: pyarrow.parquet.write_table(pyarrow.table({"a": a.ravel()}), path),
    "safetensors": lambda path: save_file({"a": torch.from_numpy(a)}, path),
    "picture": lambda path: Image.fromarray(a).save(path, format="PNG"),
    "csv": lambda path: pandas.DataFrame(a[0]).sample(99_999, replace=True).to_csv(path),
}.items():
    try:
        with atomic(sys.argv[1] + "/" + name) as path:
            write(path)
    except OSError as error:
        print(type(error).__name__, error)
"""


class Disk:
    """A disk of 16 MB at a folder, that commands run by `run` alone see: no root is needed."""

    def __init__(self, folder: Path, pid: int):
        """Args: a process that sees the disk."""
        self.folder, self.pid, self.seen = folder, pid, Path(f"/proc/{pid}/root{folder}")

    def run(self, *command: str, cwd: Path | None = None) -> subprocess.CompletedProcess:
        """Run a command that sees the disk."""
        enter = ["nsenter", "--preserve-credentials", "-U", "-m", "-t", str(self.pid)]
        there = ["sh", "-c", 'cd "$0" && exec "$@"', str(cwd or self.folder), *command]
        paths = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPO / "workflow/scripts")}
        return subprocess.run(
            enter + there, env=os.environ | paths, capture_output=True, text=True, timeout=300
        )

    def fill(self, *, left: int) -> None:
        """Take all space but `left` pages of 4 kB."""
        with (self.seen / "filling").open("wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                file.truncate((file.tell() // 4096 - left) * 4096)

    def read_only(self) -> None:
        """Let nothing be written any more."""
        self.run("mount", "-o", "remount,ro", str(self.folder), cwd=Path("/"))


@pytest.fixture
def mount() -> Iterator[Callable[[Path], Disk]]:
    """A function that lays a disk over a folder; skips where a machine permits none."""
    processes = []

    def mounted(folder: Path) -> Disk:
        command = ["unshare", "-rm", "sh", "-c", MOUNT, str(folder)]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        if not processes[-1].stdout.readline():
            pytest.skip(f"no disk of its own: {processes[-1].stderr.read().decode().strip()}")
        return Disk(folder, processes[-1].pid)

    yield mounted
    for process in processes:
        process.kill()
        process.communicate()


def files(folder: Path) -> dict[str, bytes]:
    """The content of all files in a folder but the benchmarks, hidden ones too."""
    found = {f.relative_to(folder).as_posix(): f for f in folder.rglob("*") if f.is_file()}
    return {n: f.read_bytes() for n, f in found.items() if n != "filling" and "benchm" not in n}


SNAKEMAKE = (sys.executable, "-m", "snakemake", "--cores", "1")


@pytest.mark.parametrize("why", ["no space left on the disk (0.0 of 0.0 GB free)", "read-only"])
def test_every_writer_says_what_is_wrong_and_leaves_nothing(mount, tmp_path, why):
    disk = mount(tmp_path)
    disk.fill(left=1)
    if why == "read-only":
        disk.read_only()
    done = disk.run(sys.executable, "-c", WRITERS, str(tmp_path))
    lines = done.stdout.splitlines()
    assert len(lines) == 5, done
    for line, name in zip(lines, ("text", "parquet", "safetensors", "picture", "csv"), strict=True):
        assert f"{tmp_path}/{name} could not be written: " in line and why in line
        assert line.endswith("then run again: what is finished is kept")
    assert [f.name for f in disk.seen.iterdir()] == ["filling"]


def test_a_full_disk_leaves_finished_work_whole(mount, copied):
    """A shard does not fit: the run says so; once it does, it alone is made, and is the same."""
    disk = mount(copied / "results")
    shutil.copytree(copied / "results", disk.seen, dirs_exist_ok=True)
    shard = disk.seen / SHARD.removeprefix("results/")
    before, whole = files(disk.seen), shard.read_bytes()
    shard.unlink()
    disk.fill(left=2)  # a shard needs three
    failed = disk.run(*SNAKEMAKE, SHARD, cwd=copied)
    assert failed.returncode == 1
    assert f"{SHARD} could not be written: no space left on the disk (0.0 of" in failed.stderr
    assert "then run again: what is finished is kept" in failed.stderr
    assert files(disk.seen) == {n: b for n, b in before.items() if not SHARD.endswith(n)}
    (disk.seen / "filling").unlink()
    done = disk.run(*SNAKEMAKE, SHARD, cwd=copied)
    assert done.returncode == 0, done.stderr
    assert shard.read_bytes() == whole and files(disk.seen) == before
    assert done.stderr.count("localrule ") == 1, done.stderr


@pytest.mark.parametrize("name, how", [("results", "read-only"), ("logs", "full")])
def test_a_run_that_could_write_nothing_is_refused_at_once(mount, copied, name, how):
    (copied / SHARD).unlink()
    disk = mount(copied / name)
    shutil.copytree(copied / name, disk.seen, dirs_exist_ok=True)
    disk.fill(left=0) if how == "full" else disk.read_only()
    refused = disk.run(*SNAKEMAKE, SHARD, cwd=copied)
    why = "no space left on the disk" if how == "full" else "the file system is read-only"
    assert refused.returncode == 1
    assert f"\n{name} could not be written: {why}" in refused.stderr
    assert "localrule " not in refused.stderr, "no job was begun"
    assert not (copied / ".snakemake/locks").exists(), "it can be run again at once"
    if how == "read-only":
        dry = disk.run(*SNAKEMAKE, "--dry-run", SHARD, cwd=copied)
        assert dry.returncode == 0 and "This was a dry-run" in dry.stderr + dry.stdout
