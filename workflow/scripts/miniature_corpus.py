"""miniature_corpus: render the corpus: garments in several styles, with captions."""

from pathlib import Path

from mvc.images.loaders import fashion_mnist
from mvc.job import stage_log
from mvc.miniature.corpus import build
from mvc.miniature.saving import save_corpus


def main(snakemake) -> None:
    cfg = snakemake.params.cfg
    with stage_log(snakemake):
        fashion, source, failures = fashion_mnist.find(
            cfg["path"], data=Path("data"), key="corpus.path (config/miniature.yaml)"
        )
        print(f"source: {source}; failed before: {failures}")
        corpus = build(
            fashion.train_images[: cfg["images"]],
            fashion.train_labels[: cfg["images"]],
            size=cfg["resolution"],
            renders=cfg["renders"],
            shares=cfg["shares"],
            seed=cfg["seed"],
        )
        save_corpus(corpus, snakemake.output.pixels, snakemake.output.captions)
        print(f"{len(corpus.captions):,} pictures, {len(set(corpus.captions)):,} captions")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
