"""real: real images in a synthetic set's place, as they are or through the VAE."""

import pyarrow as pa
from mvc.core import image_tables
from mvc.core.counts import slice_shard
from mvc.core.device import pick_device
from mvc.core.pixels import choose_side
from mvc.job import stage_log
from mvc.synthetic import controls


def main(snakemake) -> None:
    cfg, names = snakemake.params.cfg, snakemake.wildcards
    with stage_log(snakemake) as report:
        labels = image_tables.read(snakemake.input.bank, ["label"])["label"].to_pylist()
        extra, train = (
            image_tables.read(snakemake.input.extra),
            image_tables.read(snakemake.input.train),
        )
        part = {"shard": int(names.shard), "shards": int(names.shards)}
        if cfg["generator"] == "train_vae":
            table = controls.repeated_table(train, labels, **part)
        else:
            table = controls.real_table(extra, train, labels, **part)
        sources = table["image_id"]
        if cfg["generator"] != "real":
            how = {key: cfg[key] for key in ("diffusion", "resolution", "batch_size")}
            how["side"] = choose_side(image_tables.get_bytes(train), resolution=cfg["resolution"])
            how["places"] = slice_shard(len(labels), **part)
            files = controls.through_vae(image_tables.get_bytes(table), **how, device=pick_device())
            table = image_tables.build_table(
                data=files,
                labels=table["label"].to_pylist(),
                class_names=table["class_name"].to_pylist(),
                image_ids=sources.to_pylist(),
                suffix=".png",
            )
        table = table.append_column("source_image_id", sources)
        generator = pa.array([cfg["generator"]] * len(table), pa.string())
        image_tables.write(table.append_column("generator", generator), snakemake.output[0])
        report(len(table), "images")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
