"""figure5: real images, several of ours, those of the pre-trained generator (Figure 5)."""

from mvc.core import image_tables
from mvc.core.atomic import atomic
from mvc.figures import grid
from mvc.job import stage_log

COLUMNS = ["image", "label", "class_name"]


def main(snakemake) -> None:
    cfg = snakemake.params.cfg
    groups = {
        "real": ("real", 1),
        "finetuned": ("MVC\n(ours)", cfg["images"]),
        "pretrained": ("pre-trained", 1),
    }
    with stage_log(snakemake):
        sets = [
            (title, image_tables.read(snakemake.input[name], COLUMNS), rows)
            for name, (title, rows) in groups.items()
        ]
        picture = grid.draw_gallery(sets, classes=cfg["classes"], cell=cfg["cell"])
        print(f"{picture.width} x {picture.height} pixels")
        with atomic(snakemake.output[0]) as temporary:
            picture.save(temporary, format="PNG", optimize=True)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
