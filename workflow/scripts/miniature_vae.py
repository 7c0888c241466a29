"""miniature_vae: train the autoencoder of the miniature Stable Diffusion."""

from pathlib import Path

import torch
from mvc.job import stage_log
from mvc.miniature import vae
from mvc.miniature.saving import load_parts, make_saver, open_training, save_model

SHAPE = ("widths", "layers", "latent_channels")


def main(snakemake) -> None:
    cfg = snakemake.params.cfg
    torch.manual_seed(cfg["seed"])
    with stage_log(snakemake):
        train, held_out = load_parts(snakemake.input, cfg["foundation"])
        model = vae.create(size=cfg["foundation"]["resolution"], **{key: cfg[key] for key in SHAPE})

        def save(folder: Path) -> None:
            vae.calibrate(model, train.images[:4000])
            save_model(model, folder)

        keep = make_saver(
            snakemake.output.weights, save, lambda: vae.measure_quality(model, held_out)
        )
        with open_training(snakemake, keep) as settings:
            vae.train(
                model,
                train.images,
                vae.draw_weights(train.styles, plain=cfg["plain"]),
                kl=cfg["kl"],
                **settings,
            )


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
