"""synthetic: one shard of images by the fine-tuned U-Net, or by the pre-trained one."""

from pathlib import Path

from mvc import generate, plans, shards
from mvc.hygiene import refuse_held_out
from mvc.stage import device, progress, stage_log
from mvc.synthetic import native_side
from safetensors.torch import load_file


def main(snakemake) -> None:
    cfg, given, names = snakemake.params.cfg, snakemake.input, snakemake.wildcards
    with stage_log(snakemake):
        train, captions = shards.read(given.images), shards.read(given.captions)
        refuse_held_out(train, shards.read(given.held_out))
        own, size = cfg["generator"] == "finetuned", cfg["resolution"]
        painter = generate.open_painter(
            Path(given.unet).parent if own else cfg["diffusion"],
            load_file(given.embeddings),
            diffusion=cfg["diffusion"],
            sampling=generate.sampling(cfg),
            device=device(),
        )
        part = {"shard": int(names.shard), "shards": int(names.shards), "seed": cfg["seed"]}
        labels = train["label"].to_pylist()
        plan = plans.make(cfg["generator"], shards.read(given.bank), labels, **part)
        side = native_side(shards.image_bytes(train), resolution=size)
        print(f"{len(plan.seeds):,} images, stored at {side} px")
        images = generate.files(painter, plan, train, resolution=size, side=side)
        files = list(progress(images, total=len(plan.seeds), unit="images"))
        record = plans.provenance(cfg, given.weights)
        table = plans.to_table(plan, files, train=train, captions=captions, **record)
        shards.write(table, snakemake.output[0])


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
