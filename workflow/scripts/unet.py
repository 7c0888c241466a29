"""unet: Stable Diffusion's U-Net fine-tuned on same-class pairs; loss curve and samples."""

from accelerate import Accelerator
from mvc import finetune, shards
from mvc.diffusion import load_unet, load_vae, widen
from mvc.hygiene import refuse_held_out
from mvc.stage import stage_log
from safetensors.torch import load_file


def main(snakemake) -> None:
    cfg, out = snakemake.params.cfg, snakemake.output
    with stage_log(snakemake):
        accelerator = Accelerator(mixed_precision=finetune.precision())
        train = shards.read(snakemake.input.images)
        refuse_held_out(train, shards.read(snakemake.input.held_out))
        embeddings = load_file(snakemake.input.embeddings)
        bank = shards.read(snakemake.input.bank)
        vae = load_vae(cfg["diffusion"], device=accelerator.device)
        base = load_unet(cfg["diffusion"], text_width=embeddings["tokens"].shape[2])
        unet = widen(base, vae.config.latent_channels)
        pool = finetune.make_pool(train, embeddings, bank, vae, cfg)
        trainer = finetune.make_trainer(unet, cfg, accelerator)
        depends = {"cfg": cfg, "code": snakemake.params.code}
        state = finetune.state_file(out.weights, depends, snakemake.input)
        drawing = finetune.drawing(cfg, vae, trainer.betas)
        losses = trainer.run(pool, state, finetune.show(cfg["steps"]), **drawing)
        if accelerator.is_main_process:
            finetune.write_losses(losses, csv=out.losses, png=out.curve)
            tuned = trainer.finish()
            finetune.write_samples(tuned, vae, embeddings, train, bank, cfg, png=out.samples)
            finetune.write_unet(tuned, weights=out.weights, config=out.config)
            finetune.forget_states(out.weights)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
