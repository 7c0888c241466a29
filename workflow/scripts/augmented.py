"""augmented: real and synthetic training images as one folder to train on, with its card."""

from mvc import augmented, augmented_files, shards
from mvc.augmented_card import card
from mvc.stage import stage_log


def main(snakemake) -> None:
    given, name = snakemake.input, snakemake.wildcards.dataset
    with stage_log(snakemake) as made:
        captions = shards.read(given.captions, ["image_id", "captioner"])
        rows = augmented.collect(
            given.images,
            list(given.synthetic),
            held_out=shards.read(given.held_out),
            captions=captions,
            bank=shards.read(given.bank),
        )
        captioners = set(captions["captioner"].to_pylist())
        settings = snakemake.params.cfg
        text = card(rows, name=name, captioners=captioners, settings=settings)
        with augmented_files.whole(snakemake.output[0]) as folder:
            augmented_files.write(rows, [given.images, *given.synthetic], folder)
            (folder / "README.md").write_text(text, encoding="utf-8")
        for row in augmented.summary(rows):
            print(f"{row['class_name']}: {row['real']:,} real, {row['synthetic']:,} synthetic")
        made(len(rows.table), "images")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
