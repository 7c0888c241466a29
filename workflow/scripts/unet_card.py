"""unet_card: the model card of a fine-tuned U-Net."""

import json
from pathlib import Path

import pandas as pd
from mvc.core import image_tables
from mvc.core.atomic import write_text
from mvc.job import stage_log
from mvc.unet.card import format_card


def main(snakemake) -> None:
    files = snakemake.input
    with stage_log(snakemake) as report:
        labels = image_tables.read(files.images, ["label"])["label"].to_pylist()
        card = format_card(
            snakemake.params.cfg,
            json.loads(Path(files.unet).read_text(encoding="utf-8")),
            pd.read_csv(files.losses)["loss"].tolist(),
            dataset=snakemake.wildcards.dataset,
            folder=str(Path(files.unet).parent),
            images=len(labels),
            classes=len(set(labels)),
        )
        write_text(card, snakemake.output[0])
        report(1, "card")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
