"""The frame of every stage's script: its log and its threads."""

import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from mvc.config.code import refuse_edited
from mvc.console.endings import name_job
from mvc.console.progress import summarise


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
                yield lambda *summary: reported.extend(summary)
            except Exception:
                traceback.print_exc()
                sys.excepthook = lambda *_: print(f"failed: see {file}", file=sys.stderr)
                raise
            print(f"{name_job(file)}: {summarise(time.perf_counter() - start, *reported)}")


def limit_threads(threads: int) -> None:
    """Limit this process to that many CPU threads, PyTorch's too where it is loaded."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
