"""repetitions: Table 1 with other classifier seeds and on other instruction sets."""

from mvc.config.table_columns import TABLES
from mvc.core.atomic import write_csv, write_text
from mvc.job import stage_log
from mvc.tables.repetitions import format_page, repeat_table
from mvc.tables.runs import read_runs


def main(snakemake) -> None:
    cfg, output = snakemake.params.cfg, snakemake.output
    layout, common = TABLES["table1"], {"seeds": cfg["repetition"]}
    with stage_log(snakemake) as report:
        runs = read_runs(snakemake.input)
        common |= {"confidence": cfg["confidence"]}
        table = repeat_table(runs, layout, cfg["instructions_of"], **common)
        write_csv(table.round(6), output.csv)
        write_text(format_page(table, layout, digits=cfg["digits"], **common), output.md)
        report(len(runs), "runs")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
