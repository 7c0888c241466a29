"""miniature_clip: train the miniature CLIP on the corpus, with a vocabulary of its own."""

import torch
from mvc.job import stage_log
from mvc.miniature import clip
from mvc.miniature.saving import load_parts, make_saver, open_training, save_clip

SHAPE = ("joint", "vision", "text")


def main(snakemake) -> None:
    cfg = snakemake.params.cfg
    torch.manual_seed(cfg["seed"])
    with stage_log(snakemake):
        train, held_out = load_parts(snakemake.input, cfg["foundation"])
        merges = clip.learn_merges(train.captions, limit=cfg["merges"])
        clip.write_merges(merges, snakemake.output.merges)
        tokens = clip.build_tokenizer(snakemake.output.merges)
        shape = {key: cfg[key] for key in SHAPE} | {"size": cfg["foundation"]["resolution"]}
        config = clip.make_configuration(vocabulary=tokens.vocab_size, **shape)
        model = clip.create(config)
        keep = make_saver(
            snakemake.output.weights,
            lambda folder: save_clip(model, config, folder),
            lambda: clip.measure_quality(model, held_out, tokens),
        )
        with open_training(snakemake, keep) as settings:
            clip.train(
                model,
                train.images,
                clip.encode_captions(tokens, train.captions),
                clip.make_pools(train.styles, plain=cfg["plain"], photo=cfg["photo"]),
                **settings,
            )


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
