"""figure1: real images, those of the pre-trained generator and ours, by class (Figure 1)."""

from mvc.core import image_tables
from mvc.core.atomic import atomic
from mvc.figures import grid
from mvc.job import stage_log

TITLES = {"real": "real", "pretrained": "pre-trained", "finetuned": "MVC\n(ours)"}
COLUMNS = ["image", "label", "class_name"]


def main(snakemake) -> None:
    cfg = snakemake.params.cfg
    with stage_log(snakemake):
        sets = [
            (title, image_tables.read(snakemake.input[name], COLUMNS), cfg["images"])
            for name, title in TITLES.items()
        ]
        picture = grid.draw_gallery(sets, classes=cfg["classes"], cell=cfg["cell"])
        print(f"{picture.width} x {picture.height} pixels")
        with atomic(snakemake.output[0]) as temporary:
            picture.save(temporary, format="PNG", optimize=True)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
