"""One function in several processes of this machine, one for each GPU, that share their work.

The processes find each other by the variables that PyTorch's elastic agent sets, as `accelerate`
reads them. The main one writes to the log; the others, which do and say the same, are silent.
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
from types import FrameType
from typing import Any

import torch
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from mvc.job import limit_threads

GRACE = 600  # seconds that processes have to save their state once a signal asks them to stop
HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)  # by the agent


def launch(function: Callable, *arguments, processes: int, threads: int, log: str | Path) -> Any:
    """Call a function of a module in that many processes; in this one, where it is one.

    Args:
        arguments: what can be pickled.
        threads: CPU threads of all processes together.
        log: the file that the main process adds to.

    Returns:
        What the function returns in the main process.

    Raises:
        ValueError: there are GPUs, but too few.
        RuntimeError: the function failed; with the error of the process that failed first.
        SystemExit: a signal stopped it.
    """
    gpus = torch.cuda.device_count()
    if 0 < gpus < processes:
        raise ValueError(
            f"unet.processes = {processes}; must be <= {gpus}, the GPUs that this job sees"
        )
    if processes == 1:
        return function(*arguments)
    with TemporaryDirectory() as folder, _quiet_agent():
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
    """Run the function in one of the processes; the output of the main one goes to the log."""
    limit_threads(threads)
    rank = int(os.environ["RANK"])
    place = log if rank == 0 else os.devnull
    with open(place, "a", buffering=1, encoding="utf-8") as file:
        with redirect_stdout(file), redirect_stderr(file):
            try:
                return function(*arguments)
            except SystemExit as stop:
                Path(folder, f"{rank}.stopped").write_text(str(stop), encoding="utf-8")
                sys.exit(1)
            except Exception:
                error = Path(folder, f"{time.time_ns()}.error")  # sorted by time
                error.write_text(traceback.format_exc(), encoding="utf-8")
                time.sleep(1)  # the agent is to see first a killed process that this one missed
                raise


def _find_cause(error: ChildFailedError | SignalException, folder: Path) -> BaseException:
    """Find what ended the processes: a signal, or the failure of one, which ends the others."""
    errors = sorted(folder.glob("*.error"))
    stopped = sorted(folder.glob("*.stopped"))
    if stopped:
        return SystemExit(stopped[0].read_text(encoding="utf-8"))
    if isinstance(error, SignalException):
        return SystemExit(f"stopped by {error.sigval.name}")
    _, failure = error.get_first_failure()
    if failure.exitcode < 0 or not errors:  # ended from outside: for want of memory, for instance
        return RuntimeError(f"one of the processes failed: {failure.message}")
    text = errors[0].read_text(encoding="utf-8").rstrip()
    return RuntimeError(f"one of the processes failed:\n\n{text}")


@contextmanager
def _quiet_agent() -> Iterator[None]:
    """Keep PyTorch's agent from saying what `_find_cause` does, and undo its signal handlers."""
    before = {number: signal.getsignal(number) for number in HANDLED}
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        for number, handler in before.items():
            signal.signal(number, handler)


SIGNALS = (signal.SIGTERM, signal.SIGINT)  # preemption, a time limit, Ctrl-C


class StopSignal:
    """Within its `with` block a signal does not end the process: `name` is the last one's.

    What the signals did before is restored at the end of the block.
    """

    def __init__(self):
        self.name: str | None = None

    def __enter__(self) -> "StopSignal":
        self._before = {number: signal.signal(number, self._record) for number in SIGNALS}
        return self

    def __exit__(self, *raised) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _record(self, number: int, frame: FrameType | None) -> None:
        self.name = signal.Signals(number).name
