"""tables: a table of the paper from the record of every run, for a program and for a person."""

from mvc.config import layouts
from mvc.core.atomic import atomic
from mvc.job import stage_log
from mvc.tables import latex, report, runs, statistics


def main(snakemake) -> None:
    cfg, out = snakemake.params.cfg, snakemake.output
    name, rows, digits = cfg["number"], cfg["rows"], cfg["digits"]
    test = {"confidence": cfg["confidence"]}
    with stage_log(snakemake) as made:
        records = runs.read_runs(snakemake.input)
        table = statistics.make_table(records, layouts.TABLES[name], rows, **test).round(6)
        texts = {
            out.md: report.format_markdown(records, name, rows, digits=digits, **test),
            out.tex: latex.format_latex(records, name, rows, digits=digits),
        }
        for path, data in {out.csv: table, out.runs: runs.flatten_runs(records)}.items():
            with atomic(path) as temporary:
                data.to_csv(temporary, index=False)
        for path, text in texts.items():
            with atomic(path) as temporary:
                temporary.write_text(text, encoding="utf-8")
        made(len(records), "runs")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
