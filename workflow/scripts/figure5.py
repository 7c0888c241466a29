"""figure5: real images, many of ours and the pre-trained generator's, by class (Figure 5)."""

from mvc.core import image_tables
from mvc.core.atomic import atomic
from mvc.figures import grid
from mvc.job import stage_log


def main(snakemake) -> None:
    cfg, given = snakemake.params.cfg, snakemake.input
    groups = {
        "real": ("real", 1),
        "finetuned": ("MVC\n(ours)", cfg["images"]),
        "pretrained": ("pre-trained", 1),
    }
    with stage_log(snakemake):
        sets = [
            (title, image_tables.read(given[name], ["image", "label", "class_name"]), lines)
            for name, (title, lines) in groups.items()
        ]
        sheet = grid.gallery(sets, classes=cfg["classes"], cell=cfg["cell"])
        print(f"{sheet.width} x {sheet.height} pixels")
        with atomic(snakemake.output[0]) as temporary:
            sheet.save(temporary, format="PNG", optimize=True)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
