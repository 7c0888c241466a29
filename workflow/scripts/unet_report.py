"""unet_report: the loss curve of fine-tuning, and a grid of images by the fine-tuned U-Net."""

import json
from pathlib import Path

from mvc.core import image_tables
from mvc.core.atomic import atomic, write_text
from mvc.core.device import pick_device
from mvc.figures import finetuning
from mvc.job import stage_log
from mvc.synthetic.sampler import Sampling, load_sampler
from safetensors.torch import load_file


def draw_samples(files, cfg):
    """The grid of samples."""
    wanted = cfg["samples"]
    sampler = load_sampler(
        Path(files.unet).parent,
        load_file(files.embeddings),
        diffusion=cfg["diffusion"],
        sampling=Sampling(wanted["steps"], "text", wanted["scale"], image_scale=1.0, batch_size=32),
        device=pick_device(),
    )
    return finetuning.sample_grid(
        sampler,
        image_tables.read(files.images),
        image_tables.read(files.bank),
        classes=wanted["classes"],
        per_class=wanted["per_class"],
        side=cfg["resolution"],
        seed=cfg["seed"],
    )


def main(snakemake) -> None:
    files = snakemake.input
    out = snakemake.output
    with stage_log(snakemake) as report:
        finetuning.draw_losses(files.losses, out.curve)
        picture, warnings = finetuning.try_to_draw(
            lambda: draw_samples(files, snakemake.params.cfg)
        )
        with atomic(out.samples) as temporary:
            picture.save(temporary, format="PNG")
        write_text(json.dumps({"warnings": warnings}, ensure_ascii=False) + "\n", out.report)
        report(2, "pictures", "; ".join(warnings))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
