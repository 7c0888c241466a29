"""comparisons: arms compared over labelled subsets, on validation images (sweep) or test images."""

import json

import pyarrow as pa
from mvc import comparisons, comparisons_report, runs, shards
from mvc.stage import stage_log


def main(snakemake) -> None:
    cfg, out = snakemake.params.cfg, snakemake.output
    with stage_log(snakemake) as made:
        records = runs.read(snakemake.input)
        table = comparisons.results(
            records,
            dict(cfg["comparisons"]),
            cfg["datasets"],
            split=cfg["split"],
            confidence=cfg["confidence"],
        )
        own = records["dataset"].map(cfg["datasets"])
        records["labels"] = own.map(lambda values: values.get("images", {}).get("labels_per_class"))
        records["own"] = own.map(lambda values: json.dumps(values, sort_keys=True))
        records["family"] = list(map(comparisons_report.family, own, records["extra"]))
        page = comparisons_report.markdown_page(
            table, split=cfg["split"], digits=cfg["digits"], confidence=cfg["confidence"]
        )
        shards.write(pa.Table.from_pandas(runs.long(records), preserve_index=False), out.runs)
        with shards.atomic(out.csv) as temporary:
            table.round(6).to_csv(temporary, index=False)
        with shards.atomic(out.md) as temporary:
            temporary.write_text(page, encoding="utf-8")
        comparisons_report.write_intervals(table, out.intervals)
        comparisons_report.write_curves(records, out.curves)
        made(len(records), "runs", f"{len(table):,} comparisons")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
