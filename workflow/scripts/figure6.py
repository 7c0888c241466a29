"""figure6: two real images, then their mixtures by both generators (Figure 6)."""

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
    cfg, given, out = snakemake.params.cfg, snakemake.input, snakemake.output
    unets = {"MVC (ours), given A and B in turn": Path(given.unet).parent}
    unets |= {"pre-trained": cfg["diffusion"]}
    with stage_log(snakemake):
        embeddings, sampling = load_file(given.embeddings), sampler.sampling(cfg["synthetic"])
        painters = {
            title: sampler.open_painter(
                unet,
                embeddings,
                diffusion=cfg["diffusion"],
                sampling=sampling,
                device=pick_device(),
            )
            for title, unet in unets.items()
        }
        sheet, records = sampled.source_sheet(
            painters,
            image_tables.read(given.images),
            image_tables.read(given.bank),
            side=cfg["resolution"],
            **{key: cfg[key] for key in ("images", "classes", "cell", "seed")},
        )
        with atomic(out.recipes) as temporary:
            csv.write_csv(pa.Table.from_pylist(records), temporary)
        with atomic(out.sheet) as temporary:
            sheet.save(temporary, format="PNG", optimize=True)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
