"""images: raw data to five splits of labelled image files, the held-out list and a report."""

import itertools
import json
from pathlib import Path

from mvc import images, shards
from mvc.hygiene import assert_disjoint
from mvc.splits import SPLITS
from mvc.stage import stage_log


def main(snakemake) -> None:
    with stage_log(snakemake) as made:
        built = images.build(
            snakemake.params.cfg,
            name=snakemake.wildcards.dataset,
            data=Path("data"),
            threads=snakemake.threads,
        )
        keys = {}
        for split in SPLITS:
            images.write_split(built, split, snakemake.output[split])
            keys[split] = shards.read(snakemake.output[split], ["image_id", "sha256"])
        for first, second in itertools.combinations(keys.values(), 2):
            assert_disjoint(first, second)
        held_out = {split: keys[split] for split in ("validation", "test")}
        shards.write(images.held_out_table(held_out), snakemake.output.held_out)
        report = json.dumps(built.report, indent=2, ensure_ascii=False)
        print(report)
        with shards.atomic(snakemake.output.report) as path:
            path.write_text(report + "\n", encoding="utf-8")
        made(built.report["used"], "images")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
