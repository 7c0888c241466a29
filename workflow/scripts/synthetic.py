"""synthetic: one shard of images by the fine-tuned U-Net, the pre-trained one, or both."""

from pathlib import Path

import pyarrow.compute as pc
from mvc.console.progress import progress
from mvc.core import image_tables
from mvc.core.device import pick_device
from mvc.core.image_tables import get_bytes, get_fit, read_class_names
from mvc.core.leakage import check_held_out
from mvc.core.pixels import choose_side
from mvc.job import stage_log
from mvc.synthetic import plan as planning
from mvc.synthetic.clip_filter import measure_clip_probability
from mvc.synthetic.origin import mark_origin
from mvc.synthetic.sampler import load_sampler, read_sampling, sample_files
from safetensors.torch import load_file


def main(snakemake) -> None:
    cfg = snakemake.params.cfg
    inputs = snakemake.input
    part = {key: int(snakemake.wildcards[key]) for key in ("shard", "shards")}
    with stage_log(snakemake) as report:
        train = image_tables.read(inputs.images)
        captions = image_tables.read(inputs.captions)
        bank = image_tables.read(inputs.bank)
        embeddings = load_file(inputs.embeddings)
        check_held_out(train, image_tables.read(inputs.held_out))
        names = read_class_names(train)
        side = choose_side(get_bytes(train), resolution=cfg["resolution"], fit=get_fit(train))
        device = pick_device()
        models = {"diffusion": cfg["diffusion"], "sampling": read_sampling(cfg), "device": device}
        clip = {"device": device, **{key: cfg[key] for key in ("clip", "prefix", "batch_size")}}
        unets = {"pretrained": (cfg["diffusion"], inputs.get("base", ()))}
        if "weights" in inputs.keys():
            unets["finetuned"] = (Path(inputs.unet).parent, inputs.weights)
        tables = []
        masks = planning.assign_entries(cfg["generator"], bank, cfg.get("pretrained_share", 0))
        for generator, mask in masks.items():
            unet, weights = unets[generator]
            part |= {"wanted": mask, "seed": cfg["seed"]}
            plan = planning.make_plan(generator, bank, train["label"].to_pylist(), **part)
            print(f"{len(plan.seeds):,} {generator} images, stored at {side} px")
            sampler = load_sampler(unet, embeddings, **models)
            images = sample_files(sampler, plan, train, resolution=cfg["resolution"], side=side)
            files = list(progress(images, total=len(plan.seeds), unit="images"))
            scores = measure_clip_probability(files, plan.labels, names, places=plan.places, **clip)
            origin = planning.describe_generator(cfg, weights)
            origin |= {"train": train, "captions": captions, "clip_probability": scores.tolist()}
            tables.append(planning.tabulate_images(plan, files, **origin))
        shard = mark_origin(planning.merge_parts(tables), cfg, inputs, snakemake.threads)
        image_tables.write(shard, snakemake.output[0])
        mean = pc.mean(shard["clip_probability"]).as_py() or 0
        note = f"mean clip_probability {mean:.2f}, chance {1 / len(names):.2f}"
        report(len(shard), "images", note)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
