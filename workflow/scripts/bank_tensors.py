"""bank_tensors: the mixed embeddings of a bank as one file of tensors."""

import torch
from mvc.banks import export
from mvc.banks.recipes import from_table
from mvc.console.progress import Meter
from mvc.core import image_tables
from mvc.job import stage_log
from safetensors.torch import load_file


def main(snakemake) -> None:
    with stage_log(snakemake) as made:
        embeddings, bank = (
            load_file(snakemake.input.embeddings),
            image_tables.read(snakemake.input.bank),
        )
        names = {"bank_id": "bank_id", "labels": "label"}
        meter = Meter(len(bank), "embeddings")
        export.write(
            snakemake.output[0],
            from_table(bank),
            embeddings["tokens"],
            embeddings["null"],
            columns={k: torch.tensor(bank[column].to_pylist()) for k, column in names.items()},
            show=meter.show,
        )
        made(len(bank), "embeddings")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
