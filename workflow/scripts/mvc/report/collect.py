"""Everything that the page of a data set shows, from the files that are there."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from mvc.config.table_columns import TABLES
from mvc.console.progress import format_duration
from mvc.figures.confusion import list_mistakes, sum_confusions
from mvc.notices.block import collect_notices
from mvc.notices.notice import FIRST
from mvc.report import charts, facts, verdicts
from mvc.report.gallery import Gallery, build_gallery
from mvc.tables.report import format_cells
from mvc.tables.runs import read_runs
from mvc.tables.statistics import make_table, select_shown, summarise_cells


def collect_page(name: str, cfg: Mapping, defaults: Mapping, *, digits: int, confidence: float):
    """Collect the parts of a data set's page; a part whose files are not there is left out.

    Args:
        name: of the data set, whose files lie in `results/<name>`.
        cfg: its entry of `config.reported.read_report`.
        defaults: the project's own configuration.

    Returns:
        What the template `dataset.html` shows, and the gallery (None without training images).
    """
    folder = Path("results") / name
    report = _read_json(folder / "images/report.json")
    tables, faults = collect_tables(cfg, digits, confidence)
    losses, samples = folder / "unet/loss.csv", folder / "unet/samples.png"
    results = [_read_json(file) for file in sorted((folder / "quality").glob("*.json"))]
    stages = facts.summarise_stages(Path("results/benchmarks"), name)
    page = {
        "name": name,
        "tables": tables,
        "faults": faults,
        "headline": tables[0]["headline"] if tables else "No classifier was run yet",
        "losses": _trace_losses(losses) if losses.is_file() else {},
        "samples": samples if samples.is_file() else None,
        "data": _describe_data(report),
        "notices": _list_notices(folder, cfg["runs"]),
        "quality": facts.tabulate_quality([result for result in results if result]),
        "stages": _format_stages(stages),
        "settings": facts.compare_settings(cfg["settings"], defaults),
        "all_settings": json.dumps(cfg["settings"], indent=2, ensure_ascii=False),
        "folder": folder,
        "augmented": (folder / "augmented").is_dir(),
        "classifier": (folder / "classifier").is_dir(),
    }
    return page, _build_gallery(folder, cfg)


def list_there(paths: Sequence[str]) -> list[str]:
    """The files that are there."""
    return [path for path in paths if Path(path).is_file()]


def _build_gallery(folder: Path, cfg: Mapping) -> Gallery | None:
    train, captions, bank = (
        str(folder / file) for file in ("images/train.parquet", "captions.parquet", "bank.parquet")
    )
    if not Path(train).is_file():
        return None
    shards = {name: files for name, files in cfg["shards"].items() if list_there(files) == files}
    whole = list_there([captions, bank]) == [captions, bank]
    return build_gallery(
        train,
        shards,
        captions=captions if whole else None,
        bank=bank if whole else None,
        clip=cfg["clip"],
        used=cfg["generator"],
        selection_=cfg["selection"],
    )


def collect_tables(cfg: Mapping, digits: int, confidence: float) -> tuple[list[dict], list]:
    """The tables of the runs that are there, and why others beyond the first are left out."""
    tables, faults = [], []
    for table, paths in cfg["runs"].items():
        there = list_there(paths)
        if not there:
            continue
        try:
            tables.append(_collect_table(table, there, cfg["rows"][table], digits, confidence))
        except ValueError as error:
            if not tables:  # its runs are inputs, made for this report
                raise
            faults.append((table.removeprefix("table"), str(error)))
    return tables, faults


def _collect_table(
    number: str, paths: Sequence[str], rows: Sequence[Sequence[str]], digits: int, confidence: float
) -> dict:
    """One table: its cells, findings and pictures."""
    layout, runs = TABLES[number], read_runs(paths)
    shown = select_shown(runs, layout)
    table = make_table(runs, layout, rows, confidence=confidence)
    findings = verdicts.list_findings(table, layout, digits=digits)
    accuracy = summarise_cells(shown, confidence=confidence)
    return {
        "number": number.removeprefix("table"),
        "about": layout.about,
        "headings": list(layout.columns.values()),
        "rows": [
            (model, cells)
            for (_, model), cells in format_cells(accuracy, number, rows, digits).items()
        ],
        "findings": findings,
        "headline": verdicts.format_headline(findings),
        "limits": verdicts.list_limits(runs, findings, confidence=confidence),
        "intervals": charts.arrange_intervals(findings),
        "confidence": f"{100 * confidence:g}",
        "split": runs["split"].iloc[0],
        "arms": _collect_arms(shown, layout),
    }


def _collect_arms(shown: pd.DataFrame, layout) -> dict:
    """Mistakes with and without synthetic images, of the last gain that was run."""
    for model in shown["model"].unique():
        runs = shown[shown["model"] == model]
        for arm, over in reversed(layout.gains):
            pair = [runs[runs["arm"] == name] for name in (over, arm)]
            if all(len(each) for each in pair):
                matrices = [_collect_confusion(each, layout) for each in pair]
                recalls = (list(each["per_class"]) for each in pair)
                return {
                    "model": model,
                    "matrices": matrices,
                    "recalls": charts.compare_recalls(*recalls),
                }
    return {}


def _collect_confusion(runs: pd.DataFrame, layout) -> dict:
    names, counts = sum_confusions(runs.to_dict("records"))
    arm = runs["arm"].iloc[0]
    shades = charts.format_confusion(names, counts)
    return {"arm": layout.columns[arm], "mistakes": list_mistakes(names, counts), **shades}


def _trace_losses(file: Path) -> dict:
    table = pd.read_csv(file)
    return charts.trace_losses(table["step"].to_numpy(), table["loss"].to_numpy(float))


def _describe_data(report: Mapping) -> dict:
    """The splits of the data set, and files that were dropped, left out or converted."""
    if not report:
        return {}
    near = {pair: found["count"] for pair, found in report.get("near_copies", {}).items()}
    return {
        "loader": report["loader"],
        "source": report.get("source", ""),
        "found": report.get("found"),
        "classes": len(report["classes"]),
        "splits": facts.list_splits(report),
        "copies": {reason: each["count"] for reason, each in report["copies_dropped"].items()},
        "near": {pair: count for pair, count in near.items() if count},
        "converted": {kind: n for kind, n in report.get("converted", {}).items() if n},
    }


def _list_notices(folder: Path, runs: Mapping[str, Sequence[str]]) -> list[dict]:
    names = ("images/report.json", "notices.json", "unet/report.json", "augmented")
    files = [folder / name for name in names]
    found = collect_notices([*files, *(path for paths in runs.values() for path in paths)])
    return [
        {"text": each.text, "file": each.file, "first": each.rank <= FIRST}
        for each in found.get(folder.name, [])
    ]


def _format_stages(stages: pd.DataFrame) -> list[tuple]:
    rows = [
        (stage, int(row.jobs), format_duration(row.seconds), f"{row.peak_mib:,.0f} MiB")
        for stage, row in stages.iterrows()
    ]
    total = format_duration(stages["seconds"].sum())
    return [*rows, ("all", int(stages["jobs"].sum()), total, "")] if rows else []


def _read_json(file: Path) -> dict:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
