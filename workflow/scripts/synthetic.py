"""synthetic: one shard of images by the fine-tuned U-Net, or by the pre-trained one."""

from pathlib import Path

from mvc import generate, plans, shards
from mvc.diffusion import load_solver, load_unet, load_vae
from mvc.hygiene import refuse_held_out
from mvc.provenance import files_digest
from mvc.stage import device, progress, stage_log
from mvc.synthetic import native_side
from safetensors.torch import load_file


def main(snakemake) -> None:
    cfg, given, names = snakemake.params.cfg, snakemake.input, snakemake.wildcards
    with stage_log(snakemake):
        train, captions = shards.read(given.images), shards.read(given.captions)
        refuse_held_out(train, shards.read(given.held_out))
        embeddings = load_file(given.embeddings)
        plan = plans.make(
            cfg["generator"],
            shards.read(given.bank),
            train["label"].to_pylist(),
            shard=int(names.shard),
            shards=int(names.shards),
            seed=cfg["seed"],
        )
        folder = Path(given.unet[0]).parent if "unet" in given.keys() else cfg["diffusion"]
        painter = generate.Painter(
            unet=load_unet(folder, text_width=embeddings["tokens"].shape[2], device=device()),
            vae=load_vae(cfg["diffusion"], device=device()),
            solver=load_solver(cfg["diffusion"]),
            tokens=embeddings["tokens"],
            null=embeddings["null"],
            sampling=generate.sampling(cfg),
        )
        side = native_side(shards.image_bytes(train), resolution=cfg["resolution"])
        print(f"{len(plan.seeds):,} images, stored at {side} px")
        images = generate.files(painter, plan, train, resolution=cfg["resolution"], side=side)
        files = list(progress(images, total=len(plan.seeds), unit="images"))
        table = plans.to_table(
            plan,
            files,
            train=train,
            captions=captions,
            digest=files_digest(*given.weights),
            guidance=f"{cfg['guidance']} {cfg['scale']}",
            steps=cfg["steps"],
        )
        shards.write(table, snakemake.output[0])


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
