"""figure6: two real images, then their mixtures by both generators (Figure 6)."""

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
    unets = {
        "MVC (ours), given A and B in turn": Path(files.unet).parent,
        "pre-trained": cfg["diffusion"],
    }
    with stage_log(snakemake):
        embeddings = load_file(files.embeddings)
        sampling = read_sampling(cfg["synthetic"])
        models = {"diffusion": cfg["diffusion"], "sampling": sampling, "device": pick_device()}
        samplers = {
            title: load_sampler(unet, embeddings, **models) for title, unet in unets.items()
        }
        picture, records = sampled.draw_sources(
            samplers,
            image_tables.read(files.images),
            image_tables.read(files.bank),
            side=cfg["resolution"],
            **{key: cfg[key] for key in ("images", "classes", "cell", "seed")},
        )
        with atomic(snakemake.output.recipes) as temporary:
            csv.write_csv(pa.Table.from_pylist(records), temporary)
        with atomic(snakemake.output.picture) as temporary:
            picture.save(temporary, format="PNG", optimize=True)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
