"""augmented: real and synthetic training images as one folder to train on, with its card."""

from mvc.augmented.card import format_card
from mvc.augmented.collect import collect, summarise_classes
from mvc.augmented.export import replace_folder, write
from mvc.core import image_tables
from mvc.job import stage_log


def main(snakemake) -> None:
    files, name = snakemake.input, snakemake.wildcards.dataset
    with stage_log(snakemake) as report:
        captions = image_tables.read(files.captions, ["image_id", "captioner"])
        rows = collect(
            files.images,
            list(files.synthetic),
            held_out=image_tables.read(files.held_out),
            captions=captions,
            bank=image_tables.read(files.bank),
        )
        captioners = set(captions["captioner"].to_pylist())
        card = format_card(rows, name=name, captioners=captioners, settings=snakemake.params.cfg)
        with replace_folder(snakemake.output[0]) as folder:
            write(rows, [files.images, *files.synthetic], folder)
            (folder / "README.md").write_text(card, encoding="utf-8")
        for row in summarise_classes(rows):
            print(f"{row['class_name']}: {row['real']:,} real, {row['synthetic']:,} synthetic")
        report(len(rows.table), "images")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
