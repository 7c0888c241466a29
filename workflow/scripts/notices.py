"""notices: what captions, embeddings, losses and synthetic images tell about the generator."""

import json

import numpy as np
import pyarrow.compute as pc
from mvc.core import image_tables
from mvc.core.atomic import write_text
from mvc.core.decoding import decode
from mvc.core.image_tables import get_bytes, read_class_names
from mvc.job import stage_log
from mvc.notices import generation
from safetensors.numpy import load_file

LOOKED_AT = 50  # images that are decoded of the real ones and of each shard opened, about
OPENED = 4  # shards whose images are looked at, at most


def main(snakemake) -> None:
    files = snakemake.input
    with stage_log(snakemake) as report:
        captions = image_tables.read(files.captions, ["caption", "label", "captioner"]).to_pydict()
        embeddings = load_file(files.embeddings)
        train = image_tables.read(files.images)
        shards = list(files.synthetic)
        made = image_tables.read(shards, ["clip_probability", "constant"])
        chances = made["clip_probability"].to_numpy()
        constant = pc.sum(made["constant"]).as_py() or 0
        some = shards[:: -(-len(shards) // OPENED)]
        synthetic = [image for file in some for image in sample(image_tables.read(file))]
        n_tokens, most = embeddings["n_tokens"], embeddings["null"].shape[0]
        notices = [
            *generation.check_captions(
                captions["caption"], captions["label"], captions["captioner"], files.captions
            ),
            *generation.check_tokens(n_tokens, most, files.captions),
            *generation.check_clip(chances, len(read_class_names(train)), shards[0]),
            *generation.check_constant(constant, len(made), shards[0]),
            *generation.check_pixels(synthetic, sample(train), shards[0]),
        ]
        if files.tuning:
            notices += generation.check_tuning(*files.tuning)
        text = json.dumps([notice._asdict() for notice in notices], indent=1, ensure_ascii=False)
        print(text)
        write_text(text + "\n", snakemake.output[0])
        report(len(notices), "notices")


def sample(table) -> list[np.ndarray]:
    """Some images of a table, evenly spread, as arrays."""
    step = max(len(table) // LOOKED_AT, 1)
    return [
        np.asarray(decode(data)) for data in get_bytes(table.take(list(range(0, len(table), step))))
    ]


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
