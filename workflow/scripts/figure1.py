"""figure1: real images, the pre-trained generator's and ours, class by class (Figure 1)."""

from mvc.core import image_tables
from mvc.core.atomic import atomic
from mvc.figures import grid
from mvc.job import stage_log

TITLES = {"real": "real", "pretrained": "pre-trained", "finetuned": "MVC\n(ours)"}


def main(snakemake) -> None:
    cfg, given = snakemake.params.cfg, snakemake.input
    with stage_log(snakemake):
        sets = [
            (title, image_tables.read(given[name], ["image", "label", "class_name"]), cfg["images"])
            for name, title in TITLES.items()
        ]
        sheet = grid.gallery(sets, classes=cfg["classes"], cell=cfg["cell"])
        print(f"{sheet.width} x {sheet.height} pixels")
        with atomic(snakemake.output[0]) as temporary:
            sheet.save(temporary, format="PNG", optimize=True)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
