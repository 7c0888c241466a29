"""synthetic: one shard of images by the fine-tuned U-Net, the pre-trained one, or both."""

from pathlib import Path

import pyarrow.compute as pc
from mvc import generate, plans, shards
from mvc.classes import class_names
from mvc.consistency import consistency
from mvc.hygiene import refuse_held_out
from mvc.stage import device, progress, stage_log
from mvc.synthetic import native_side
from safetensors.torch import load_file


def main(snakemake) -> None:
    cfg, given, names = snakemake.params.cfg, snakemake.input, snakemake.wildcards
    with stage_log(snakemake) as made:
        train, captions, bank = map(shards.read, (given.images, given.captions, given.bank))
        refuse_held_out(train, shards.read(given.held_out))
        embeddings, size = load_file(given.embeddings), cfg["resolution"]
        unets = {"pretrained": (cfg["diffusion"], given.models)}
        if "weights" in given.keys():
            unets["finetuned"] = (Path(given.unet).parent, given.weights)
        labels, opening = train["label"].to_pylist(), {"sampling": generate.sampling(cfg)}
        opening |= {"diffusion": cfg["diffusion"], "device": device()}
        part = {"shard": int(names.shard), "shards": int(names.shards), "seed": cfg["seed"]}
        judged = {key: cfg[key] for key in ("clip", "prefix", "batch_size")} | {"device": device()}
        side, tables = native_side(shards.image_bytes(train), resolution=size), []
        wanted = plans.parts(cfg["generator"], bank, cfg.get("pretrained_share", 0))
        for generator, mask in wanted.items():
            unet, weights = unets[generator]
            plan = plans.make(generator, bank, labels, wanted=mask, **part)
            print(f"{len(plan.seeds):,} {generator} images, stored at {side} px")
            painter = generate.open_painter(unet, embeddings, **opening)
            images = generate.files(painter, plan, train, resolution=size, side=side)
            files = list(progress(images, total=len(plan.seeds), unit="images"))
            sure = consistency(files, plan.labels, class_names(train), **judged).tolist()
            record = plans.provenance(cfg, weights) | {"train": train, "captions": captions}
            tables.append(plans.to_table(plan, files, **record, consistency=sure))
        shard = plans.in_order(tables)
        shards.write(shard, snakemake.output[0])
        sure, chance = pc.mean(shard["consistency"]).as_py() or 0, 1 / len(class_names(train))
        made(len(shard), "images", f"consistency {sure:.2f} by CLIP, by chance {chance:.2f}")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
