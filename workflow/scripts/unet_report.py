"""unet_report: the loss curve of fine-tuning, and a grid of images by the fine-tuned U-Net."""

from pathlib import Path

from mvc.core import image_tables
from mvc.core.atomic import atomic
from mvc.core.device import pick_device
from mvc.figures import finetuning
from mvc.job import stage_log
from mvc.synthetic.sampler import Sampling, load_sampler
from safetensors.torch import load_file


def main(snakemake) -> None:
    files = snakemake.input
    cfg = snakemake.params.cfg
    wanted = cfg["samples"]
    with stage_log(snakemake) as report:
        finetuning.draw_losses(files.losses, snakemake.output.curve)
        sampler = load_sampler(
            Path(files.unet).parent,
            load_file(files.embeddings),
            diffusion=cfg["diffusion"],
            sampling=Sampling(
                wanted["steps"], "text", wanted["scale"], image_scale=1.0, batch_size=32
            ),
            device=pick_device(),
        )
        picture = finetuning.sample_grid(
            sampler,
            image_tables.read(files.images),
            image_tables.read(files.bank),
            classes=wanted["classes"],
            per_class=wanted["per_class"],
            side=cfg["resolution"],
            seed=cfg["seed"],
        )
        with atomic(snakemake.output.samples) as temporary:
            picture.save(temporary, format="PNG")
        report(2, "pictures")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
