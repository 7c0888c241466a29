"""figure2: real images, coarse and fine mixtures, and how much each changes (Figure 2)."""

from pathlib import Path

import pyarrow as pa
from mvc.core import image_tables
from mvc.core.atomic import atomic
from mvc.core.device import pick_device
from mvc.figures import sampled
from mvc.job import stage_log
from mvc.synthetic.sampler import load_sampler, read_sampling
from pyarrow import csv
from safetensors.torch import load_file


def main(snakemake) -> None:
    cfg = snakemake.params.cfg
    files = snakemake.input
    with stage_log(snakemake):
        embeddings = load_file(files.embeddings)
        sampler = load_sampler(
            Path(files.unet).parent,
            embeddings,
            diffusion=cfg["diffusion"],
            sampling=read_sampling(cfg["synthetic"]),
            device=pick_device(),
        )
        picture, changes = sampled.draw_mixtures(
            sampler,
            image_tables.read(files.images),
            embeddings["tokens"],
            kinds={"coarse\nmixing": (cfg["coarse"], 0), "fine\nmixing": (0, cfg["fine"])},
            per_kind=cfg["images"],
            side=cfg["resolution"],
            **{key: cfg[key] for key in ("classes", "cell", "seed")},
        )
        with atomic(snakemake.output.picture) as temporary:
            picture.save(temporary, format="PNG", optimize=True)
        with atomic(snakemake.output.changes) as temporary:
            csv.write_csv(pa.Table.from_pylist(changes), temporary)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
