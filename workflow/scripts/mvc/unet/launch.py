"""One function in several processes of this machine, one per GPU, that share its work.

The processes find each other by the variables that PyTorch's elastic agent sets and `accelerate`
reads. Only the main process writes to the log: the others would print the same.
"""

import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from mvc.job import limit_threads

GRACE = 600  # seconds that processes have to save a checkpoint once a signal asks them to stop
HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)  # by the agent


def launch(function: Callable, *arguments, processes: int, threads: int, log: str | Path) -> Any:
    """Call a module-level function in `processes` processes, or in this one if that is 1.

    Args:
        arguments: of the function; several processes receive them pickled.
        threads: CPU threads of all processes together.
        log: file that the main process appends to.

    Returns:
        What the function returns in the main process.

    Raises:
        ValueError: the job sees GPUs, but fewer than `processes`.
        RuntimeError: the function failed; holds the error of the process that failed first.
        SystemExit: a signal stopped the function.
    """
    gpus = torch.cuda.device_count()
    if 0 < gpus < processes:
        raise ValueError(
            f"unet.processes = {processes}; must be <= {gpus}, the GPUs that this job sees"
        )
    if processes == 1:
        return function(*arguments)
    with TemporaryDirectory() as folder, _silence_agent():
        child = (function, arguments, max(threads // processes, 1), str(log), folder)
        try:
            return elastic_launch(_configure(processes, folder), _run_process)(*child)[0]
        except (ChildFailedError, SignalException) as error:
            raise _find_cause(error, Path(folder)) from None


def _configure(processes: int, folder: str) -> LaunchConfig:
    return LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=Path(folder).name,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",  # any free port
        local_addr="localhost",
        max_restarts=0,
        start_method="spawn",
        shutdown_timeout=GRACE,
        logs_specs=DefaultLogsSpecs(log_dir=folder),
    )


def _run_process(function: Callable, arguments: tuple, threads: int, log: str, folder: str) -> Any:
    """Run the function in one process; only the main one's output goes to the log."""
    limit_threads(threads)
    rank = int(os.environ["RANK"])
    path = log if rank == 0 else os.devnull
    with open(path, "a", buffering=1, encoding="utf-8") as file:
        with redirect_stdout(file), redirect_stderr(file):
            try:
                return function(*arguments)
            except SystemExit as stop:
                Path(folder, f"{rank}.stopped").write_text(str(stop), encoding="utf-8")
                sys.exit(1)
            except Exception:
                error = Path(folder, f"{time.time_ns()}.error")  # sorted by time
                error.write_text(traceback.format_exc(), encoding="utf-8")
                time.sleep(
                    1
                )  # if a killed process is the cause, the agent has to see that one first
                raise


def _find_cause(error: ChildFailedError | SignalException, folder: Path) -> BaseException:
    """Find what ended the processes: a signal, or the failure of one that ended the others."""
    errors = sorted(folder.glob("*.error"))
    stopped = sorted(folder.glob("*.stopped"))
    if stopped:
        return SystemExit(stopped[0].read_text(encoding="utf-8"))
    if isinstance(error, SignalException):
        return SystemExit(f"stopped by {error.sigval.name}")
    _, failure = error.get_first_failure()
    if failure.exitcode < 0 or not errors:  # killed from outside, for instance for lack of memory
        return RuntimeError(f"one of the processes failed: {failure.message}")
    text = errors[0].read_text(encoding="utf-8").rstrip()
    return RuntimeError(f"one of the processes failed:\n\n{text}")


@contextmanager
def _silence_agent() -> Iterator[None]:
    """Silence PyTorch's agent, whose messages `_find_cause` replaces; restore signal handlers."""
    before = {number: signal.getsignal(number) for number in HANDLED}
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        for number, handler in before.items():
            signal.signal(number, handler)
