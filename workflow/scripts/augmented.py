"""augmented: real and synthetic training images as one folder to train on, with its card."""

from mvc.augmented import collect, export
from mvc.augmented.card import format_card
from mvc.core import image_tables
from mvc.job import stage_log


def main(snakemake) -> None:
    given, name = snakemake.input, snakemake.wildcards.dataset
    with stage_log(snakemake) as made:
        captions = image_tables.read(given.captions, ["image_id", "captioner"])
        rows = collect.collect(
            given.images,
            list(given.synthetic),
            held_out=image_tables.read(given.held_out),
            captions=captions,
            bank=image_tables.read(given.bank),
        )
        captioners = set(captions["captioner"].to_pylist())
        settings = snakemake.params.cfg
        text = format_card(rows, name=name, captioners=captioners, settings=settings)
        with export.replace_folder(snakemake.output[0]) as folder:
            export.write(rows, [given.images, *given.synthetic], folder)
            (folder / "README.md").write_text(text, encoding="utf-8")
        for row in collect.summarise_classes(rows):
            print(f"{row['class_name']}: {row['real']:,} real, {row['synthetic']:,} synthetic")
        made(len(rows.table), "images")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
