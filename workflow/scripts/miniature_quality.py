"""miniature_quality: measure the miniatures on the official test set, and draw examples."""

from pathlib import Path

import torch
from mvc.images.loaders import fashion_mnist
from mvc.job import stage_log
from mvc.miniature import quality
from mvc.miniature.saving import load_parts, save_json


def main(snakemake) -> None:
    cfg, out = snakemake.params.cfg, snakemake.output
    with stage_log(snakemake):
        fashion, _, _ = fashion_mnist.find(cfg["path"], data=Path("data"), key="corpus.path")
        target = quality.convert_to_target(
            fashion.test_images[: cfg["images"]],
            fashion.test_labels[: cfg["images"]],
            size=cfg["foundation"]["resolution"],
        )
        held_out = load_parts(snakemake.input, cfg["foundation"])[1]
        models = quality.Models(Path(snakemake.input.unet).parents[2])
        drawing = {k: cfg[k] for k in ("steps", "scale", "seed")}
        report = models.measure(target, held_out, captions=cfg["captions"])
        report["unet"] = models.measure_samples(held_out, count=cfg["samples"], **drawing)
        print(report)
        save_json(report, out.report)
        first = target.images[:20]
        both = torch.cat([first, models.reconstruct(first)])
        drawn = models.sample(**drawing)
        quality.draw_grid(held_out.images[:40], columns=10).save(out.corpus)
        quality.draw_grid(both, columns=20).save(out.real_vae)
        quality.draw_grid(drawn, columns=10).save(out.samples)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
