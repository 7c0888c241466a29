"""tables: a table of the paper from the record of every run, for a program and for a person."""

from mvc import latex, layouts, reports, runs, shards, tables
from mvc.stage import stage_log


def main(snakemake) -> None:
    cfg, out = snakemake.params.cfg, snakemake.output
    name, rows, digits = cfg["number"], cfg["rows"], cfg["digits"]
    test = {"confidence": cfg["confidence"]}
    with stage_log(snakemake) as made:
        records = runs.read(snakemake.input)
        table = tables.table(records, layouts.TABLES[name], rows, **test).round(6)
        texts = {
            out.md: reports.table_markdown(records, name, rows, digits=digits, **test),
            out.tex: latex.table_latex(records, name, rows, digits=digits),
        }
        for path, data in {out.csv: table, out.runs: runs.long(records)}.items():
            with shards.atomic(path) as temporary:
                data.to_csv(temporary, index=False)
        for path, text in texts.items():
            with shards.atomic(path) as temporary:
                temporary.write_text(text, encoding="utf-8")
        made(len(records), "runs")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
