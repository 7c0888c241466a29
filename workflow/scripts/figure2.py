"""figure2: real images, then coarse-only and fine-only mixtures of their captions (Figure 2)."""

from pathlib import Path

from mvc import generate, shards, sheets
from mvc.diffusion import load_solver, load_unet, load_vae
from mvc.stage import device, stage_log
from safetensors.torch import load_file


def main(snakemake) -> None:
    cfg, given = snakemake.params.cfg, snakemake.input
    with stage_log(snakemake):
        embeddings = load_file(given.embeddings)
        tokens = embeddings["tokens"]
        painter = generate.Painter(
            unet=load_unet(Path(given.unet).parent, text_width=tokens.shape[2], device=device()),
            vae=load_vae(cfg["diffusion"], device=device()),
            solver=load_solver(cfg["diffusion"]),
            tokens=tokens,
            null=embeddings["null"],
            sampling=generate.sampling(cfg["synthetic"]),
        )
        sheet = sheets.mixing_sheet(
            painter,
            shards.read(given.images),
            tokens,
            kinds={
                "coarse\nmixing": (cfg["coarse"], 0),
                "fine\nmixing": (0, cfg["fine"]),
            },
            each=cfg["images"],
            classes=cfg["classes"],
            side=cfg["resolution"],
            cell=cfg["cell"],
            seed=cfg["seed"],
        )
        with shards.atomic(snakemake.output[0]) as temporary:
            sheet.save(temporary, format="PNG", optimize=True)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
