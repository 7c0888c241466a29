"""comparisons: arms over labelled subsets, on validation images (sweep) or on test images."""

import pyarrow as pa
from mvc.comparisons import report as pages
from mvc.comparisons.compare import compare_pairs, describe_runs
from mvc.core import image_tables
from mvc.core.atomic import write_csv, write_text
from mvc.job import stage_log
from mvc.tables.runs import flatten_runs, read_runs


def main(snakemake) -> None:
    cfg, output = snakemake.params.cfg, snakemake.output
    split, digits, confidence = cfg["split"], cfg["digits"], cfg["confidence"]
    comparisons = dict(cfg["comparisons"])
    with stage_log(snakemake) as report:
        runs = read_runs(snakemake.input)
        table = compare_pairs(
            runs, comparisons, cfg["datasets"], split=split, confidence=confidence
        )
        runs = describe_runs(runs, cfg["datasets"])
        page = pages.format_page(table, split=split, digits=digits, confidence=confidence)
        rows = pa.Table.from_pandas(flatten_runs(runs), preserve_index=False)
        image_tables.write(rows, output.runs)
        write_csv(table.round(6), output.csv)
        write_text(page, output.md)
        pages.write_intervals(table, output.intervals)
        pages.write_curves(runs, output.curves)
        report(len(runs), "runs", f"{len(table):,} comparisons")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
