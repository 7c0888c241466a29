"""miniature_unet: train the U-Net of the miniature Stable Diffusion."""

from pathlib import Path

import torch
from mvc.job import stage_log
from mvc.miniature import unet
from mvc.miniature.saving import load_parts, make_saver, open_training, save_model, save_pipeline
from mvc.models.stable_diffusion import load_vae
from safetensors.torch import load_file

SHAPE = ("widths", "attention", "heads", "layers")


def main(snakemake) -> None:
    cfg = snakemake.params.cfg
    torch.manual_seed(cfg["seed"])
    with stage_log(snakemake):
        train, _ = load_parts(snakemake.input, cfg["foundation"])
        shown = torch.from_numpy(train.list_outside(cfg["without"]))
        encoder = load_vae(Path(snakemake.input.vae).parents[1])
        latents = unet.cache_latents(encoder, train.images[shown])
        text = load_file(snakemake.input.text)
        sizes = *latents[0].shape[1:3], text["states"].shape[2]
        model = unet.create(*sizes, **{key: cfg[key] for key in SHAPE})
        keep = make_saver(snakemake.output.weights, lambda to: save_model(model, to))
        texts = text["states"], text["rows"][shown]
        with open_training(snakemake, keep) as settings:
            unet.train(model, *latents, *texts, dropout=cfg["dropout"], **settings)
        save_pipeline(unet.build_scheduler(), unet.INDEX, Path(snakemake.output.index).parent)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
