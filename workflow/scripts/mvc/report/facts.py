"""Facts of a data set below its pictures: settings that are its own, splits, timings, quality."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from mvc.core.markdown import format_number
from mvc.quality.table import LIKENESS, NEARNESS, SETS, list_rows

# Keys that say where things lie, or that are shown elsewhere.
UNCOMPARED = ("rows", "like", "seed")


def summarise_stages(folder: Path, dataset: str = "") -> pd.DataFrame:
    """One row per stage: number of jobs, their total and longest seconds, peak memory in MiB.

    A file `{dataset}/{stage}.tsv` or `{dataset}/{stage}/….tsv` belongs to the stage it names.

    Args:
        folder: of the workflow's benchmark files.
        dataset: whose files are read; "" for all.
    """
    rows = []
    for file in sorted((folder / dataset).rglob("*.tsv")):
        parts = file.relative_to(folder).with_suffix("").parts
        stage = parts[0] if len(parts) == 1 or parts[0] in ("tables", "figures") else parts[1]
        job = pd.read_csv(file, sep="\t").iloc[-1]
        rows.append((stage, file.stat().st_mtime, float(job["s"]), job["max_rss"]))
    frame = pd.DataFrame(rows, columns=["stage", "end", "seconds", "max_rss"])
    frame["max_rss"] = pd.to_numeric(frame["max_rss"], errors="coerce")
    grouped = frame.groupby("stage").agg(
        jobs=("seconds", "size"),
        seconds=("seconds", "sum"),
        longest=("seconds", "max"),
        peak_mib=("max_rss", "max"),
        end=("end", "min"),
    )
    return grouped.sort_values("end").drop(columns="end")


def compare_settings(settings: Mapping, defaults: Mapping) -> list[tuple[str, str, str]]:
    """List the settings of a data set that differ from the defaults: key, value, default."""
    return [
        (key, _format_value(value), _format_value(default))
        for section, values in settings.items()
        if section != "datasets"
        for key, value, default in _compare(section, values, defaults.get(section))
    ]


def _compare(key: str, value: object, default: object) -> Iterator[tuple[str, object, object]]:
    if isinstance(value, Mapping) and isinstance(default, Mapping):
        for name in value:
            if name not in UNCOMPARED:
                yield from _compare(f"{key}.{name}", value[name], default.get(name))
    elif value != default:
        yield key, value, default


def _format_value(value: object) -> str:
    return "–" if value is None else str(value)


def list_splits(report: Mapping) -> list[tuple[str, int, str]]:
    """The splits of an images report: name, images, the range of images per class."""
    rows = []
    for name, split in report["splits"].items():
        counts = list(split["per_class"].values()) or [0]
        low, high = min(counts), max(counts)
        spread = f"{low:,}" if low == high else f"{low:,} to {high:,}"
        rows.append((name, split["images"], spread))
    return rows


def tabulate_quality(results: Sequence[Mapping]) -> dict:
    """The quality of a data set's image sets: headings and rows; {} where nothing was measured."""
    if not results:
        return {}
    wanted = LIKENESS | NEARNESS
    rows = [
        [
            SETS.get(line["set"], line["set"]),
            *(
                format_number(float("nan") if line[key] is None else float(line[key]), digits)
                for key, (_, digits) in wanted.items()
            ),
        ]
        for line in list_rows(list(results)).to_dict("records")
    ]
    return {"headings": ["images", *(heading for heading, _ in wanted.values())], "rows": rows}
