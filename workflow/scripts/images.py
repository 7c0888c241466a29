"""images: five splits of labelled image files from raw data, the held-out list and a report."""

import itertools
import json
from pathlib import Path

from mvc.core import image_tables
from mvc.core.atomic import write_text
from mvc.core.leakage import check_disjoint
from mvc.images import build
from mvc.images.splits import SPLITS
from mvc.job import stage_log


def main(snakemake) -> None:
    with stage_log(snakemake) as report:
        built = build.build_images(
            snakemake.params.cfg,
            name=snakemake.wildcards.dataset,
            data=Path("data"),
            threads=snakemake.threads,
        )
        keys = {}
        for split in SPLITS:
            build.write_split(built, split, snakemake.output[split])
            keys[split] = image_tables.read(snakemake.output[split], ["image_id", "sha256"])
        for first, second in itertools.combinations(keys.values(), 2):
            check_disjoint(first, second)
        held_out = {split: keys[split] for split in ("validation", "test")}
        image_tables.write(build.list_held_out(held_out), snakemake.output.held_out)
        text = json.dumps(built.report, indent=2, ensure_ascii=False)
        print(text)
        write_text(text + "\n", snakemake.output.report)
        report(built.report["used"], "images")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
