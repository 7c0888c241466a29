"""quality_table: the quality of every synthetic set, as CSV and as Markdown."""

import json
from pathlib import Path

from mvc.core.atomic import write_csv, write_text
from mvc.job import stage_log
from mvc.quality.table import format_quality, list_rows


def main(snakemake) -> None:
    with stage_log(snakemake):
        results = [json.loads(Path(f).read_text(encoding="utf-8")) for f in snakemake.input]
        write_csv(list_rows(results).round(6), snakemake.output.csv)
        write_text(format_quality(results), snakemake.output.md)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
