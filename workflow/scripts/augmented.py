"""augmented: real and synthetic training images as one folder to train on, with its card."""

from mvc.augmented.card import format_card
from mvc.augmented.collect import collect, collect_held_out, summarise_classes
from mvc.augmented.export import replace_folder, write, write_split
from mvc.core import image_tables
from mvc.job import stage_log


def main(snakemake) -> None:
    files, name = snakemake.input, snakemake.wildcards.dataset
    held_out = [split for split in snakemake.params.cfg["splits"] if split != "train"]
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
        splits = {split: collect_held_out(getattr(files, split), rows) for split in held_out}
        counts = {split: len(held.table) for split, held in splits.items()}
        card = format_card(
            rows, counts, name=name, captioners=captioners, settings=snakemake.params.cfg
        )
        with replace_folder(snakemake.output[0]) as folder:
            write(rows, [files.images, *files.synthetic], folder)
            for split, held in splits.items():
                write_split(held, [getattr(files, split)], folder, split)
            (folder / "README.md").write_text(card, encoding="utf-8")
        for row in summarise_classes(rows):
            print(f"{row['class_name']}: {row['real']:,} real, {row['synthetic']:,} synthetic")
        report(len(rows.table), "images")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
