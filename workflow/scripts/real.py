"""real: further real images in a synthetic set's place, as they are or through the VAE."""

import pyarrow as pa
from mvc import generate, plans, shards
from mvc.diffusion import load_vae
from mvc.pixels import encode
from mvc.stage import device, stage_log
from mvc.synthetic import native_side, resize


def main(snakemake) -> None:
    cfg, names = snakemake.params.cfg, snakemake.wildcards
    with stage_log(snakemake):
        labels = shards.read(snakemake.input.bank, ["label"])["label"].to_pylist()
        extra = shards.read(snakemake.input.extra)
        train = shards.read(snakemake.input.train, ["label", "class_name"])
        part = {"shard": int(names.shard), "shards": int(names.shards)}
        table = plans.real_table(extra, train, labels, **part)
        if names.generator == "round_trip":
            files = shards.image_bytes(table)
            side = native_side(files, resolution=cfg["resolution"])
            vae = load_vae(cfg["diffusion"], device=device())
            batches = generate.round_trip(
                vae, files, side=cfg["resolution"], batch_size=cfg["batch_size"]
            )
            made = [png for b in batches for png in encode(resize(b, side), grayscale=False)]
            table = shards.image_table(
                data=made,
                labels=table["label"].to_pylist(),
                class_names=table["class_name"].to_pylist(),
                image_ids=table["image_id"].to_pylist(),
                suffix=".png",
            )
        source = table["image_id"]
        table = table.append_column("source_image_id", source)
        generator = pa.array([names.generator] * len(table), pa.string())
        shards.write(table.append_column("generator", generator), snakemake.output[0])


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
