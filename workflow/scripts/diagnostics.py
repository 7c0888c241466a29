"""diagnostics: the arms outside the tables, with those that they are compared with."""

from mvc.core.atomic import write_csv, write_text
from mvc.job import stage_log
from mvc.tables.report import format_diagnostics
from mvc.tables.runs import read_runs
from mvc.tables.statistics import compare_diagnostics


def main(snakemake) -> None:
    cfg, output = snakemake.params.cfg, snakemake.output
    with stage_log(snakemake) as report:
        runs = read_runs(snakemake.input)
        table = compare_diagnostics(runs, confidence=cfg["confidence"])
        page = format_diagnostics(runs, digits=cfg["digits"], confidence=cfg["confidence"])
        write_csv(table.round(6), output.csv)
        write_text(page, output.md)
        report(len(runs), "runs")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
