"""synthetic: one shard of images by the fine-tuned U-Net, the pre-trained one, or both."""

from pathlib import Path

import pyarrow.compute as pc
from mvc.console.progress import progress
from mvc.core import image_tables
from mvc.core.device import pick_device
from mvc.core.image_tables import read_class_names
from mvc.core.leakage import refuse_held_out
from mvc.core.pixels import choose_side
from mvc.job import stage_log
from mvc.synthetic import plan as planning
from mvc.synthetic import sampler
from mvc.synthetic.clip_filter import clip_probability
from safetensors.torch import load_file


def main(snakemake) -> None:
    cfg, given, names = snakemake.params.cfg, snakemake.input, snakemake.wildcards
    with stage_log(snakemake) as report:
        train, captions, bank = map(image_tables.read, (given.images, given.captions, given.bank))
        refuse_held_out(train, image_tables.read(given.held_out))
        embeddings, size = load_file(given.embeddings), cfg["resolution"]
        unets = {"pretrained": (cfg["diffusion"], given.models)}
        if "weights" in given.keys():
            unets["finetuned"] = (Path(given.unet).parent, given.weights)
        labels, opening = train["label"].to_pylist(), {"sampling": sampler.sampling(cfg)}
        opening |= {"diffusion": cfg["diffusion"], "device": pick_device()}
        part = {"shard": int(names.shard), "shards": int(names.shards), "seed": cfg["seed"]}
        judged = {key: cfg[key] for key in ("clip", "prefix", "batch_size")} | {
            "device": pick_device()
        }
        side, tables = choose_side(image_tables.get_bytes(train), resolution=size), []
        wanted = planning.parts(cfg["generator"], bank, cfg.get("pretrained_share", 0))
        for generator, mask in wanted.items():
            unet, weights = unets[generator]
            plan = planning.make(generator, bank, labels, wanted=mask, **part)
            print(f"{len(plan.seeds):,} {generator} images, stored at {side} px")
            painter = sampler.open_painter(unet, embeddings, **opening)
            images = sampler.files(painter, plan, train, resolution=size, side=side)
            files = list(progress(images, total=len(plan.seeds), unit="images"))
            judged |= {"places": plan.places}
            sure = clip_probability(files, plan.labels, read_class_names(train), **judged).tolist()
            record = planning.provenance(cfg, weights) | {"train": train, "captions": captions}
            tables.append(planning.to_table(plan, files, **record, clip_probability=sure))
        shard = planning.in_order(tables)
        image_tables.write(shard, snakemake.output[0])
        sure, chance = (
            pc.mean(shard["clip_probability"]).as_py() or 0,
            1 / len(read_class_names(train)),
        )
        report(len(shard), "images", f"clip_probability {sure:.2f} by CLIP, by chance {chance:.2f}")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
