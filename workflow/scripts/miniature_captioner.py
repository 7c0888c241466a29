"""miniature_captioner: train the miniature BLIP-2 on the corpus, and save its processor."""

import torch
from mvc.job import stage_log
from mvc.miniature import captioner
from mvc.miniature.saving import load_parts, make_saver, open_training, save_captioner
from mvc.miniature.vae import draw_weights

SHAPE = ("vision", "qformer", "text")


def main(snakemake) -> None:
    cfg, size = snakemake.params.cfg, snakemake.params.cfg["foundation"]["resolution"]
    torch.manual_seed(cfg["seed"])
    with stage_log(snakemake):
        train, held_out = load_parts(snakemake.input, cfg["foundation"])
        plain = held_out.select_style("plain")
        processor = captioner.create_processor(train.captions, size=size, queries=cfg["queries"])
        model = captioner.create(processor, size=size, **{key: cfg[key] for key in SHAPE})
        keep = make_saver(
            snakemake.output.weights,
            lambda folder: save_captioner(model, processor, folder),
            lambda: captioner.measure_quality(model, processor, plain.images, plain.labels),
        )
        with open_training(snakemake, keep) as settings:
            captioner.train(
                model,
                train.images,
                captioner.encode_captions(processor, train.captions),
                train.labels,
                draw_weights(train.styles, plain=cfg["plain"]),
                class_loss=cfg["class_loss"],
                **settings,
            )


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
