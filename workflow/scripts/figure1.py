"""figure1: real images, the pre-trained generator's and ours, class by class (Figure 1)."""

from mvc import figures, shards
from mvc.classes import class_names
from mvc.decoding import decode
from mvc.stage import stage_log

TITLES = {"real": "real", "pretrained": "pre-trained", "finetuned": "MVC\n(ours)"}


def main(snakemake) -> None:
    cfg = snakemake.params.cfg
    with stage_log(snakemake):
        rows, titles, names = [], [], {}
        for name, title in TITLES.items():
            table = shards.read(snakemake.input[name], ["image", "label", "class_name"])
            labels = table["label"].to_pylist()
            names = names or class_names(table)
            classes = list(names)[: cfg["classes"]]
            chosen = figures.first_of_each(labels, classes, cfg["images"])
            data = shards.image_bytes(table)
            images = [[decode(data[row]) for row in own] for own in chosen]
            rows += figures.group(images, cfg["images"])
            titles += [title] + [""] * (cfg["images"] - 1)
        side = max(image.width for row in rows for image in row if image is not None)
        scale = figures.scale_to(side, cfg["cell"])
        sheet = figures.grid(rows, titles, [names[label] for label in classes], scale)
        print(f"{sheet.width} x {sheet.height} pixels")
        with shards.atomic(snakemake.output[0]) as temporary:
            sheet.save(temporary, format="PNG", optimize=True)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
