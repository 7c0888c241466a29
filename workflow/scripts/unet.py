"""unet: Stable Diffusion's U-Net fine-tuned on same-class pairs; loss curve and samples."""

from mvc.job import stage_log
from mvc.unet.checkpoint import state_file
from mvc.unet.finetune import tune
from mvc.unet.launch import launch

READ = ("images", "held_out", "embeddings", "bank")
WRITTEN = ("config", "weights", "losses", "curve", "samples")


def main(snakemake) -> None:
    given, out, cfg = snakemake.input, snakemake.output, snakemake.params.cfg
    with stage_log(snakemake) as made:
        state = state_file(out.weights, {"cfg": cfg, "code": snakemake.params.code}, given)
        done = launch(
            tune,
            cfg,
            {name: getattr(given, name) for name in READ},
            {name: getattr(out, name) for name in WRITTEN},
            str(state),
            processes=max(snakemake.resources.gpu, 1),
            threads=snakemake.threads,
            log=snakemake.log[0],
        )
        made(*done)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
