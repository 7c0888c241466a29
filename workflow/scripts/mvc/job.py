"""The frame of every stage's script: its log, its threads and its instruction set."""

import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from mvc.config.code import refuse_edited
from mvc.config.needs import list_unmet_needs
from mvc.console.endings import name_job
from mvc.console.progress import summarise
from mvc.core.instructions import limit_instructions

# Environment variable with what the run needs of each data set's images.
NEEDS = "MVC_NEEDS"


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
