"""The frame of every stage's script: its log, its threads, its instruction set, its GPUs."""

import fcntl
import json
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import IO

from mvc.config.code import refuse_edited
from mvc.config.needs import list_unmet_needs
from mvc.console.endings import name_job
from mvc.console.progress import summarise
from mvc.core.instructions import limit_instructions

# Environment variable with what the run needs of each data set's images.
NEEDS = "MVC_NEEDS"
VISIBLE = "CUDA_VISIBLE_DEVICES"
# Where Windows lends its NVIDIA driver to Linux (WSL 2), in which no GPU has a file in /dev.
WSL = Path("/usr/lib/wsl/lib/libcuda.so.1")


@contextmanager
def stage_log(snakemake) -> Iterator[Callable[..., None]]:
    """Redirect all output of the stage to its log, errors too; the last line says what was made.

    Yields:
        `report(count, unit, note)`, which sets what the last line says.
    """
    file = Path(snakemake.log[0])
    start = time.perf_counter()
    reported = []
    file.write_text("", encoding="utf-8")  # then appended to: further processes write to it too
    with open(file, "a", buffering=1, encoding="utf-8") as log:
        with redirect_stdout(log), redirect_stderr(log):
            limit_threads(snakemake.threads)
            try:
                if digest := getattr(snakemake.params, "code", None):
                    refuse_edited(sys.modules["__main__"].__file__, digest)
                wildcards = getattr(snakemake, "wildcards", None)
                limit_instructions(getattr(snakemake.params, "cfg", {}).get("instructions"))
                refuse_unmet(getattr(wildcards, "dataset", None), str(file))
                gpus = getattr(getattr(snakemake, "resources", None), "gpu", 0)
                with reserve_gpus(gpus):
                    yield lambda *summary: reported.extend(summary)
            except Exception:
                traceback.print_exc()
                sys.excepthook = lambda *_: print(f"failed: see {file}", file=sys.stderr)
                raise
            report_gpu_memory()
            print(f"{name_job(file)}: {summarise(time.perf_counter() - start, *reported)}")


def report_gpu_memory() -> None:
    """Print how much of its GPU's memory this process had at most, if it used one."""
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    if cuda is not None and cuda.is_available() and cuda.is_initialized():
        used, there = cuda.max_memory_reserved(), cuda.mem_get_info()[1]
        print(f"GPU memory at most: {used / 1e9:.1f} of {there / 1e9:.1f} GB")


def limit_threads(threads: int) -> None:
    """Limit this process to that many CPU threads, PyTorch's too where it is loaded."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


def count_gpus() -> int:
    """Count the NVIDIA GPUs that a run may use, without a library; 0 where it cannot be known."""
    there = len(list(Path("/dev").glob("nvidia[0-9]*"))) or int(WSL.is_file())
    visible = os.environ.get(VISIBLE)
    return there if visible is None else min(there, len(list_names(visible)))


def list_names(visible: str) -> list[str]:
    """The devices in a value of CUDA_VISIBLE_DEVICES: numbers, or names as `GPU-5d1c…`."""
    return [name.strip() for name in visible.split(",") if name.strip()]


@contextmanager
def reserve_gpus(count: int) -> Iterator[None]:
    """Show this process the `count` GPUs that the fewest other jobs of this user and machine use.

    Where no more than that are visible, as in a job of SLURM, all are used. A job holds a locked
    file per GPU, so that the system gives its GPUs back however it ends.
    """
    gpus = sys.modules["torch"].cuda.device_count() if count and "torch" in sys.modules else 0
    if not gpus:
        yield
        return
    before = os.environ.get(VISIBLE)
    names = [str(number) for number in range(gpus)]
    names = names if before is None else list_names(before)[:gpus]
    folder = Path(tempfile.gettempdir(), f"mvc-gpus-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    with ExitStack() as held:
        with open(folder / "choice", "w") as choice:
            fcntl.flock(choice, fcntl.LOCK_EX)  # one job chooses at a time
            users = {name: count_users(folder, name) for name in names}
            chosen = sorted(names, key=users.get)[:count]
            for name in chosen:
                file = held.enter_context(open(folder / f"{_name_lock(name)}.{os.getpid()}", "w"))
                fcntl.flock(file, fcntl.LOCK_EX)
        most = max(users[name] for name in chosen)
        note = f", which other jobs use, too: {most} (--resources gpu={gpus} gives each its own)"
        print(f"GPU {', '.join(chosen)} of {', '.join(names)}{note if most else ''}")
        os.environ[VISIBLE] = ",".join(chosen)
        try:
            yield
        finally:
            os.environ.pop(VISIBLE)
            os.environ.update({VISIBLE: before} if before is not None else {})


def count_users(folder: Path, name: str) -> int:
    """Count the jobs that hold a GPU, and remove the files of those that ended."""
    held = 0
    for path in folder.glob(f"{_name_lock(name)}.*"):
        with open(path) as file:
            if _is_locked(file):
                held += 1
            else:
                path.unlink()
    return held


def _name_lock(name: str) -> str:
    return name.replace("/", "-")  # MIG-GPU-5d1c…/1/0


def _is_locked(file: IO) -> bool:
    """Whether another process has locked a file."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def find_unmet(dataset: str) -> list[str]:
    """Find what a data set's images lack for this run, one line each (`config.needs`)."""
    needs = json.loads(os.environ.get(NEEDS, "{}")).get(dataset)
    report = Path(f"results/{dataset}/images/report.json")
    if not needs or not report.is_file():
        return []
    counts = json.loads(report.read_text(encoding="utf-8"))
    return list(list_unmet_needs(dataset, needs, counts))


def refuse_unmet(dataset: str | None, log: str | Path) -> None:
    """Stop the first job that follows the images, where a later one would have to fail.

    Args:
        log: of the job; the one that makes the images has an old report before it.

    Raises:
        ValueError: names what is missing.
    """
    if dataset and Path(log).name != "images.log" and (lines := find_unmet(dataset)):
        raise ValueError("\n  ".join(lines))
