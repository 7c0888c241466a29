"""quality: label agreement, likeness, diversity and copies of one generator's images."""

import json

from mvc.core import image_tables
from mvc.core.atomic import atomic
from mvc.core.device import pick_device
from mvc.core.image_tables import read_class_names
from mvc.job import stage_log
from mvc.models.clip import load_clip
from mvc.quality import measures, oracle


def main(snakemake) -> None:
    cfg, files = snakemake.params.cfg, snakemake.input
    with stage_log(snakemake) as made:
        referee, about = oracle.load(files.oracle)
        referee, clip = referee.to(pick_device()), load_clip(cfg["clip"], device=pick_device())[0]
        train, validation, extra = map(
            image_tables.read, (files.train, files.validation, files.extra)
        )
        reference, held_out, real_split = measures.assign_roles(train, validation, extra)

        def opened(table, count):
            rows = measures.sample(table["label"].to_numpy(), count, seed=cfg["seed"])
            table, batch_size = table.take(rows), cfg["batch_size"]
            return measures.open_images(
                table, clip, size=about["resolution"], batch_size=batch_size
            )

        sets = {"synthetic": image_tables.read(files.synthetic), "real": held_out}
        sets = {k: opened(t, cfg["images"]) for k, t in sets.items() if k != "real" or t.num_rows}
        known = {"reference": opened(reference, cfg["images"]), "training": opened(train, None)}
        n = min(len(images.labels) for images in (*sets.values(), known["reference"]))
        result = {**dict(snakemake.wildcards.items()), "oracle": about, "method": measures.METHOD}
        result |= {"real_split": real_split, "real": None}
        for name, images in sets.items():
            result[name] = measures.measure(images, **known, n=n, k=cfg["k"])
            seen = oracle.predict(referee, images.pixels)
            result[name] |= oracle.measure_agreement(seen, images.labels, read_class_names(train))
        with atomic(snakemake.output[0]) as temporary:
            temporary.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")
        made(sum(len(images.labels) for images in sets.values()), "images measured")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
