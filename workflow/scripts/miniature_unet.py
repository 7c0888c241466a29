"""miniature_unet: corpus, autoencoder and CLIP to the U-Net of the miniature Stable Diffusion."""

from pathlib import Path

import torch
from mvc.clip_model import load_clip
from mvc.diffusion import load_vae
from mvc.miniature import unet, vae
from mvc.miniature.files import load_parts, save_json, save_model, saver
from mvc.stage import stage_log

SHAPE = ("widths", "attention", "heads", "layers")


def main(snakemake) -> None:
    cfg, folder = snakemake.params.cfg, Path(snakemake.output.weights).parents[1]
    torch.manual_seed(cfg["seed"])
    with stage_log(snakemake):
        used = load_parts(snakemake.input, cfg["foundation"])[0].without_styles(cfg["without"])
        encoder = load_vae(Path(snakemake.input.vae).parents[1])
        latents = vae.latents(encoder, used.images) * encoder.config.scaling_factor
        clip, _, tokenizer = load_clip(str(Path(snakemake.input.clip).parent))
        text, rows = unet.cache_text(clip, tokenizer, used.captions)
        sizes = {"channels": latents.shape[1], "positions": latents.shape[2]}
        model = unet.create(text_width=text.shape[2], **sizes, **{key: cfg[key] for key in SHAPE})
        keep = saver(snakemake.output.weights, lambda to: save_model(model, to))
        unet.train(
            model,
            latents.half(),
            text,
            rows,
            generator=torch.Generator().manual_seed(cfg["seed"]),
            dropout=cfg["dropout"],
            keep=keep,
            **cfg["training"],
        )
        keep()
        unet.scheduler().save_pretrained(folder / "scheduler")
        save_json(unet.INDEX, snakemake.output.index)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
