"""What every stage's script shares: its log, its device, its threads, its progress."""

import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from mvc.config.code import refuse_edited
from mvc.console.endings import name_job
from mvc.console.progress import summary


@contextmanager
def stage_log(snakemake) -> Iterator[Callable[..., None]]:
    """Send what the stage prints to its log, errors too; the last line says what was made.

    Yields:
        `made(count, unit, note)`: to be called with what the stage has made, for that line.
    """
    file, start, told = Path(snakemake.log[0]), time.perf_counter(), []
    file.write_text("", encoding="utf-8")  # then added to: further processes do so, too
    with open(file, "a", buffering=1, encoding="utf-8") as log:
        with redirect_stdout(log), redirect_stderr(log):
            limit_threads(snakemake.threads)
            try:
                if digest := getattr(snakemake.params, "code", None):
                    refuse_edited(sys.modules["__main__"].__file__, digest)
                yield lambda *made: told.extend(made)
            except Exception:
                traceback.print_exc()
                sys.excepthook = lambda *_: print(f"failed: see {file}", file=sys.stderr)
                raise
            print(f"{name_job(file)}: {summary(time.perf_counter() - start, *told)}")


def limit_threads(threads: int) -> None:
    """Use this many CPU threads in this process, in PyTorch too where it is loaded."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
