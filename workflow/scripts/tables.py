"""tables: one table of the paper as CSV, Markdown and LaTeX, and its runs."""

from mvc.config.table_columns import TABLES
from mvc.core.atomic import write_csv, write_text
from mvc.job import stage_log
from mvc.notices.block import collect_notices, format_page
from mvc.tables.latex import format_latex
from mvc.tables.report import format_markdown
from mvc.tables.runs import flatten_runs, read_runs
from mvc.tables.statistics import make_table


def main(snakemake) -> None:
    cfg, files, output = snakemake.params.cfg, snakemake.input, snakemake.output
    name, rows, digits = cfg["number"], cfg["rows"], cfg["digits"]
    confidence = cfg["confidence"]
    with stage_log(snakemake) as report:
        runs = read_runs(files.runs)
        table = make_table(runs, TABLES[name], rows, confidence=confidence)
        page = format_markdown(runs, name, rows, digits=digits, confidence=confidence)
        notices = format_page(collect_notices([*files.runs, *files.notices]))
        write_csv(table.round(6), output.csv)
        write_csv(flatten_runs(runs), output.runs)
        write_text(f"{page}\n{notices}\n" if notices else page, output.md)
        write_text(format_latex(runs, name, rows, digits=digits), output.tex)
        report(len(runs), "runs")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
