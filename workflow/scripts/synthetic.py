"""synthetic: one shard of images by the fine-tuned U-Net, the pre-trained one, or both."""

from itertools import chain
from pathlib import Path

from mvc import candidates, generate, plans, shards
from mvc.classes import class_names
from mvc.clip_model import load_clip
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
        side, tables = native_side(shards.image_bytes(train), resolution=size), []
        wanted = plans.parts(cfg["generator"], bank, cfg.get("pretrained_share", 0))
        for generator, mask in wanted.items():
            unet, weights = unets[generator]
            drawn = [
                plans.make(generator, bank, labels, wanted=mask, candidate=candidate, **part)
                for candidate in range(cfg["candidates"])
            ]
            n = len(drawn[0].seeds)
            print(f"{n:,} {generator} images of {len(drawn)} drawn each, stored at {side} px")
            painter = generate.open_painter(unet, embeddings, **opening)
            made_from = {"resolution": size, "side": side}
            images = chain.from_iterable(
                generate.files(painter, plan, train, **made_from) for plan in drawn
            )
            files = list(progress(images, total=n * len(drawn), unit="images"))
            plan, files, chances = likeliest(drawn, files, cfg, class_names(train))
            record = plans.provenance(cfg, weights) | {"train": train, "captions": captions}
            tables.append(plans.to_table(plan, files, **record, consistency=chances))
        shards.write(plans.in_order(tables), snakemake.output[0])
        made(sum(map(len, tables)), "images")


def likeliest(drawn, files, cfg, names):
    """The plan and files of the images that are kept, and CLIP's say of them where it chose."""
    if len(drawn) == 1:
        return drawn[0], files, None
    model, _, tokenizer = load_clip(cfg["clip"], device=device())
    how = {"prefix": cfg["prefix"], "batch_size": cfg["batch_size"]}
    consistency = candidates.Consistency(model, tokenizer, names, **how)
    n = len(drawn[0].seeds)
    chances = consistency(files, drawn[0].labels * len(drawn)).view(len(drawn), n)
    plan, kept, sure = candidates.choose(
        drawn, [files[i : i + n] for i in range(0, len(files), n)], chances
    )
    agreed = f"{chances[0].mean():.2f} of the first draws, {sum(sure) / n:.2f} of those kept"
    print(f"mean probability that CLIP gives an image's class: {agreed}")
    return plan, kept, sure


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
