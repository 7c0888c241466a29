"""confusion: the confusion matrix of an arm, summed over its seeds."""

import json
from pathlib import Path

from mvc.figures.confusion import draw_confusion, sum_confusions
from mvc.job import stage_log


def main(snakemake) -> None:
    with stage_log(snakemake) as report:
        records = [json.loads(Path(path).read_text("utf-8")) for path in snakemake.input]
        names, counts = sum_confusions(records)
        first = records[0]
        title = f"{first['dataset']}, {first['model']}, {first['arm']} ({first['split']})"
        draw_confusion(names, counts, title, snakemake.output[0])
        report(len(records), "runs")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
