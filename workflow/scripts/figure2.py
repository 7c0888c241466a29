"""figure2: real images, coarse-only and fine-only mixtures, and how far each goes (Figure 2)."""

from pathlib import Path

import pyarrow as pa
from mvc.core import image_tables
from mvc.core.atomic import atomic
from mvc.core.device import pick_device
from mvc.figures import sampled
from mvc.job import stage_log
from mvc.synthetic import sampler
from pyarrow import csv
from safetensors.torch import load_file


def main(snakemake) -> None:
    cfg, given = snakemake.params.cfg, snakemake.input
    with stage_log(snakemake):
        embeddings = load_file(given.embeddings)
        painter = sampler.open_painter(
            Path(given.unet).parent,
            embeddings,
            diffusion=cfg["diffusion"],
            sampling=sampler.sampling(cfg["synthetic"]),
            device=pick_device(),
        )
        sheet, changes = sampled.mixing_sheet(
            painter,
            image_tables.read(given.images),
            embeddings["tokens"],
            kinds={"coarse\nmixing": (cfg["coarse"], 0), "fine\nmixing": (0, cfg["fine"])},
            each=cfg["images"],
            side=cfg["resolution"],
            **{key: cfg[key] for key in ("classes", "cell", "seed")},
        )
        with atomic(snakemake.output.sheet) as temporary:
            sheet.save(temporary, format="PNG", optimize=True)
        with atomic(snakemake.output.changes) as temporary:
            csv.write_csv(pa.Table.from_pylist(changes), temporary)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
