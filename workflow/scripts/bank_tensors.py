"""bank_tensors: the mixed embeddings of a bank as shards of tensors with an index."""

from pathlib import Path

import torch
from mvc.banks.export import write_shards
from mvc.banks.recipes import read_recipes
from mvc.console.progress import Meter
from mvc.core import image_tables
from mvc.job import stage_log
from safetensors.torch import load_file


def main(snakemake) -> None:
    with stage_log(snakemake) as report:
        bank = image_tables.read(snakemake.input.bank)
        embeddings = load_file(snakemake.input.embeddings)
        meter = Meter(len(bank), "embeddings")
        write_shards(
            Path(snakemake.output[0]),
            read_recipes(bank),
            embeddings["tokens"],
            embeddings["null"],
            columns={
                "bank_id": torch.tensor(bank["bank_id"].to_pylist()),
                "labels": torch.tensor(bank["label"].to_pylist()),
            },
            show=meter.show,
        )
        report(len(bank), "embeddings")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
