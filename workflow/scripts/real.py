"""real: real images in place of a synthetic set, as they are or through the VAE."""

import pyarrow as pa
from mvc.core import image_tables
from mvc.core.counts import slice_shard
from mvc.core.device import pick_device
from mvc.core.image_tables import get_bytes, get_fit
from mvc.core.pixels import choose_side
from mvc.job import stage_log
from mvc.synthetic import controls


def main(snakemake) -> None:
    cfg = snakemake.params.cfg
    inputs = snakemake.input
    part = {key: int(snakemake.wildcards[key]) for key in ("shard", "shards")}
    with stage_log(snakemake) as report:
        labels = image_tables.read(inputs.bank, ["label"])["label"].to_pylist()
        extra = image_tables.read(inputs.extra)
        train = image_tables.read(inputs.train)
        if cfg["generator"] == "train_vae":
            table = controls.repeat_training_images(train, labels, **part)
        else:
            table = controls.take_further_images(extra, train, labels, **part)
        sources = table["image_id"]
        if cfg["generator"] != "real":
            files = controls.reconstruct_files(
                get_bytes(table),
                side=choose_side(
                    get_bytes(train), resolution=cfg["resolution"], fit=get_fit(train)
                ),
                fit=get_fit(table),
                places=slice_shard(len(labels), **part),
                device=pick_device(),
                **{key: cfg[key] for key in ("diffusion", "resolution", "batch_size")},
            )
            table = image_tables.build_table(
                data=files,
                labels=table["label"].to_pylist(),
                class_names=table["class_name"].to_pylist(),
                image_ids=sources.to_pylist(),
                suffix=".png",
            )
        generator = pa.array([cfg["generator"]] * len(table), pa.string())
        table = table.append_column("source_image_id", sources)
        table = table.append_column("generator", generator)
        image_tables.write(table, snakemake.output[0])
        report(len(table), "images")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
