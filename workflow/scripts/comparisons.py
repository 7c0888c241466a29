"""comparisons: arms compared over labelled subsets, on validation images (sweep) or test images."""

import json

import pyarrow as pa
from mvc.comparisons import compare, report
from mvc.core import image_tables
from mvc.core.atomic import atomic
from mvc.job import stage_log
from mvc.tables import runs


def main(snakemake) -> None:
    cfg, out = snakemake.params.cfg, snakemake.output
    with stage_log(snakemake) as made:
        records = runs.read_runs(snakemake.input)
        table = compare.compare_pairs(
            records,
            dict(cfg["comparisons"]),
            cfg["datasets"],
            split=cfg["split"],
            confidence=cfg["confidence"],
        )
        own = records["dataset"].map(cfg["datasets"])
        records["labels"] = own.map(lambda values: values.get("images", {}).get("labels_per_class"))
        records["own"] = own.map(lambda values: json.dumps(values, sort_keys=True))
        records["family"] = list(map(report.name_family, own, records["extra"]))
        page = report.format_page(
            table, split=cfg["split"], digits=cfg["digits"], confidence=cfg["confidence"]
        )
        image_tables.write(
            pa.Table.from_pandas(runs.flatten_runs(records), preserve_index=False), out.runs
        )
        with atomic(out.csv) as temporary:
            table.round(6).to_csv(temporary, index=False)
        with atomic(out.md) as temporary:
            temporary.write_text(page, encoding="utf-8")
        report.write_intervals(table, out.intervals)
        report.write_curves(records, out.curves)
        made(len(records), "runs", f"{len(table):,} comparisons")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
