"""quality_table: the quality of every synthetic set, for a program and for a person."""

import json
from pathlib import Path

from mvc.core.atomic import atomic
from mvc.job import stage_log
from mvc.quality import table


def main(snakemake) -> None:
    with stage_log(snakemake):
        results = [json.loads(Path(f).read_text(encoding="utf-8")) for f in snakemake.input]
        frame = table.list_rows(results).round(6)
        with atomic(snakemake.output.csv) as temporary:
            frame.to_csv(temporary, index=False)
        with atomic(snakemake.output.md) as temporary:
            temporary.write_text(table.format_quality(results), encoding="utf-8")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
