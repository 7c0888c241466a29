"""quality: label agreement, likeness, diversity and copies of one generator's images."""

import json
from functools import partial

from mvc.core import image_tables
from mvc.core.atomic import write_text
from mvc.core.device import pick_device
from mvc.core.image_tables import read_class_names
from mvc.job import stage_log
from mvc.models.clip import load_clip
from mvc.quality import measures, oracle


def main(snakemake) -> None:
    cfg, files = snakemake.params.cfg, snakemake.input
    with stage_log(snakemake) as report:
        classifier, about = oracle.load(files.oracle)
        classifier = classifier.to(pick_device())
        train = image_tables.read(files.train)
        validation = image_tables.read(files.validation)
        extra = image_tables.read(files.extra)
        reference, real, split = measures.assign_roles(train, validation, extra)
        open_sample = partial(
            measures.open_sample,
            clip=load_clip(cfg["clip"], device=pick_device())[0],
            size=about["resolution"],
            batch_size=cfg["batch_size"],
            seed=cfg["seed"],
        )
        sets = {"synthetic": open_sample(image_tables.read(files.synthetic), cfg["images"])}
        if real.num_rows:
            sets["real"] = open_sample(real, cfg["images"])
        reference = open_sample(reference, cfg["images"])
        training = open_sample(train, None)
        n = min(len(images.labels) for images in (*sets.values(), reference))
        result = {**dict(snakemake.wildcards.items()), "oracle": about, "method": measures.METHOD}
        result |= {"real_split": split, "real": None}
        for name, images in sets.items():
            predicted = oracle.predict(classifier, images.pixels)
            result[name] = measures.measure(
                images, reference=reference, training=training, n=n, k=cfg["k"]
            )
            result[name] |= oracle.measure_agreement(
                predicted, images.labels, read_class_names(train)
            )
        write_text(json.dumps(result, indent=1, allow_nan=False) + "\n", snakemake.output[0])
        report(sum(len(images.labels) for images in sets.values()), "images measured")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
