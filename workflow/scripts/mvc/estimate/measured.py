"""What a rehearsal measured of each stage, and how long the whole run would take at that pace.

From the logs and benchmark files of a rehearsal's jobs: a job's time is what it takes to begin and
end, whatever the number of items, and a rate at which items are made.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mvc.config.rehearsal import PREFIX
from mvc.console.progress import format_duration
from mvc.core.counts import count_steps
from mvc.core.markdown import format_count, format_table
from mvc.estimate.cost import (
    Line,
    Size,
    count_images_seen,
    count_synthetic_images,
    list_generators,
)

# Unit of the lines of progress that give a stage's rate.
UNITS = {
    "captions": "images",
    "embeddings": "prompts",
    "unet": "steps",
    "synthetic": "images",
    "policies": "trials",
    "classifiers": "steps",
}
LINE = r"^([\d,]+) of [\d,]+ {unit}  [\d,.]+/(?:s|min|h)  in ([\d, .a-z]+?)(?:  .*)?$"
GPU = re.compile(r"^GPU memory at most: ([\d.]+) of ([\d.]+) GB", re.MULTILINE)
SECONDS = {"h": 3600, "min": 60, "s": 1}
HEADINGS = (
    "stage",
    "begin and end",
    "each",
    "of the whole run",
    "jobs",
    "hours",
    "memory",
    "GPU memory",
)


@dataclass(frozen=True)
class Measured:
    """A job of a rehearsal: its seconds besides the items, seconds of an item, memory in GB."""

    stage: str
    fixed: float
    each: float
    unit: str
    host: float
    gpu: tuple[float, float] | None  # at most used, of so much


def measure_job(log: Path, benchmark: Path) -> Measured | None:
    """Measure a job by its log and benchmark file; None for a stage that makes no items."""
    stage = log.relative_to("logs").parts[1].removesuffix(".log")
    if stage not in UNITS or not benchmark.is_file():
        return None
    text = log.read_text(encoding="utf-8")
    with open(benchmark, encoding="utf-8") as file:
        *_, row = csv.DictReader(file, delimiter="\t")
    found = re.findall(LINE.format(unit=UNITS[stage]), text, re.MULTILINE)
    if not found:
        return None
    count, took = int(found[0][0].replace(",", "")), _read_duration(found[0][1])
    gpu = GPU.search(text)
    host = float(row["max_rss"]) * 2**20 / 1e9 if row["max_rss"].strip("NA-") else 0.0
    used = (float(gpu[1]), float(gpu[2])) if gpu else None
    whole = float(row["s"])
    return Measured(stage, max(0.0, whole - took), took / count, UNITS[stage], host, used)


def measure_jobs(dataset: str) -> list[Measured]:
    """Measure the jobs of a data set's rehearsal; none where it was not run."""
    name = f"{PREFIX}{dataset}"
    jobs = []
    for log in sorted(Path("logs", name).rglob("*.log")):
        tsv = Path("results/benchmarks", log.relative_to("logs")).with_suffix(".tsv")
        jobs += [job for job in [measure_job(log, tsv)] if job]
    return jobs


def count_items(settings: Mapping, size: Size) -> dict[str, tuple[int, int]]:
    """Count jobs and items of each stage in the whole run, in the units of `UNITS`."""
    train, synthetic = size.train, count_synthetic_images(settings, size)
    tuned, runs = settings["unet"], settings["runs"]
    generators = list_generators(settings)
    steps = sum(count_images_seen(run, size, synthetic) / run["batch_size"] for run in runs)
    counts = {
        "captions": (1, train),
        "embeddings": (1, train),
        "unet": (1, count_steps(train, tuned["steps"], tuned["steps_per_image"])),
        "synthetic": (
            len(generators) * settings["synthetic"]["shards"],
            len(generators) * synthetic,
        ),
        "classifiers": (len(runs), round(steps)),
    }
    if settings["policies"]:
        search = settings["policies"]
        counts["policies"] = (1, search["folds"] * search["rounds"] * search["trials"])
    return counts


def format_measured(dataset: str, jobs: Sequence[Measured], counts: Mapping) -> str:
    """Format what was measured of a data set's stages, and the hours that follow."""
    rows, hours = [], 0.0
    for stage, unit in UNITS.items():
        measured = [job for job in jobs if job.stage == stage]
        if not measured or stage not in counts:
            continue
        number, items = counts[stage]
        fixed, each = (max(getattr(job, name) for job in measured) for name in ("fixed", "each"))
        spent = (number * fixed + items * each) / 3600
        hours += spent
        used = [job.gpu for job in measured if job.gpu]
        gpu = f"{max(u for u, _ in used):.1f} of {used[0][1]:.1f} GB" if used else "\N{EN DASH}"
        host = f"{max(job.host for job in measured):.1f} GB"
        made = f"{format_count(items)} {unit}"
        begun = format_duration(fixed), f"{each:.3g} s"
        rows.append((stage, *begun, made, format_count(number), f"{spent:.2f}", host, gpu))
    rows.append(("all", "", "", "", "", f"{hours:.2f}", "", ""))
    return f"{dataset}, by its rehearsal\n\n{format_table(HEADINGS, rows)}"


def list_pages(datasets: Mapping, sizes: Mapping[str, Size]) -> Iterator[str]:
    """List the pages of the data sets that were rehearsed."""
    for name, settings in datasets.items():
        if jobs := measure_jobs(name):
            yield format_measured(name, jobs, count_items(settings, sizes[name]))


def list_shortages(lines: Iterable[Line], free: float | int) -> Iterator[str]:
    """List what the disk has no room for, one per line.

    Args:
        free: bytes.
    """
    needed = sum(line.disk for line in lines)
    if needed > free:
        yield f"disk: {needed / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB free"


def _read_duration(text: str) -> float:
    """Seconds of `3 min 20 s`, as `console.progress.format_duration` writes them."""
    pairs = re.findall(r"([\d.,]+) (h|min|s)", text)
    return sum(float(number.replace(",", "")) * SECONDS[unit] for number, unit in pairs)
