"""augmented: real and synthetic training images as one folder to train on, with its card."""

from mvc.augmented.card import format_card
from mvc.augmented.collect import collect, collect_held_out, merge_rows
from mvc.augmented.export import replace_folder, write, write_split
from mvc.augmented.filters import add_findings, choose_images, summarise_choice
from mvc.augmented.front import describe_folder
from mvc.augmented.prepared import View, find_view, read_pixels
from mvc.core import image_tables
from mvc.job import stage_log
from mvc.quality import oracle


def main(snakemake) -> None:
    cfg, files, name = snakemake.params.cfg, snakemake.input, snakemake.wildcards.dataset
    shards, held_out = list(files.synthetic), {"validation": files.validation, "test": files.test}
    with stage_log(snakemake) as report:
        captions = image_tables.read(files.captions, ["image_id", "captioner"])
        real, made = collect(
            files.images,
            shards,
            held_out=image_tables.read(files.held_out),
            captions=captions,
            bank=image_tables.read(files.bank),
        )
        view = find_view(files.images, cfg["resolution"])
        predicted = predict_classes(files.oracle, shards, view) if files.oracle else None
        seen = {"train": files.images, "held_out": held_out, "predicted": predicted}
        made = add_findings(made, shards, view=view, **seen)
        marks = choose_images(made, real, filters=cfg["filters"], selection=cfg["selection"])
        rows = merge_rows(real, made, marks)
        choice = summarise_choice(made, marks)
        splits = {s: collect_held_out(held_out[s], rows) for s in cfg["splits"] if s != "train"}
        counts = {split: len(held.table) for split, held in splits.items()}
        images = {"train": len(rows.table), **counts}
        about = {"view": view, "choice": choice, "formats": cfg["format"], "settings": cfg}
        captioners = set(captions["captioner"].to_pylist())
        card = format_card(rows, counts, name=name, captioners=captioners, **about)
        with replace_folder(snakemake.output[0]) as folder:
            write(rows, [files.images, *shards], folder, view, cfg["format"])
            for split, held in splits.items():
                write_split(held, [held_out[split]], folder, split, view, cfg["format"])
            describe_folder(folder, card, choice, name=name, formats=cfg["format"], images=images)
        print(*(notice["text"] for notice in choice["notices"]), sep="\n")
        report(len(rows.table), "images")


def predict_classes(path: str, shards: list[str], view: View) -> list[int]:
    """Predict the class of each synthetic image by the oracle."""
    judge, about = oracle.load(path)
    batches = read_pixels(shards, view._replace(size=about["resolution"]))
    return [label for batch in batches for label in oracle.predict(judge, batch).tolist()]


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
