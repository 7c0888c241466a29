"""unet: Stable Diffusion's U-Net fine-tuned on pairs of images."""

import json

from mvc.core.checkpoint import name_checkpoint
from mvc.figures import watching
from mvc.job import stage_log
from mvc.unet.finetune import tune
from mvc.unet.launch import launch
from mvc.unet.memory import Memory
from mvc.unet.watch import Watch

INPUTS = ("images", "validation", "held_out", "embeddings", "bank")
OUTPUTS = ("config", "weights", "losses")


def main(snakemake) -> None:
    files = snakemake.input
    out = snakemake.output
    cfg = snakemake.params.cfg
    resources = snakemake.resources
    with stage_log(snakemake) as report:
        checkpoint = name_checkpoint(
            out.weights, {"cfg": cfg, "code": snakemake.params.code}, files
        )
        folder = watching.name_folder(snakemake.log[0], checkpoint)
        summary = launch(
            tune,
            cfg,
            Memory(resources.micro_batch, bool(resources.checkpointing), resources.ema_device),
            Watch(**json.loads(resources.watch), folder=folder, start=watching.start_watching),
            {name: str(getattr(files, name)) for name in INPUTS},
            {name: getattr(out, name) for name in OUTPUTS},
            str(checkpoint),
            processes=max(resources.gpu, 1),
            threads=snakemake.threads,
            log=snakemake.log[0],
        )
        report(*summary)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
