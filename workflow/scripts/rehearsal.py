"""rehearsal: what a small run of every stage took here, and what the whole run would take."""

import shutil

from mvc.console.terminal import replace_unprintable
from mvc.core.atomic import write_text
from mvc.estimate import cost, size
from mvc.estimate.measured import list_pages, list_shortages
from mvc.job import stage_log

NOTE = (
    "Measured on this machine in a few steps of each stage with the run's own models, images and "
    "batches; hours are of one job at a time. `begin and end`: loading models and images, writing "
    "results. Figures, tables and downloads are left out."
)


def main(snakemake) -> None:
    cfg = snakemake.params.cfg
    with stage_log(snakemake):
        sizes = {name: size.measure(name, own) for name, own in cfg["datasets"].items()}
        lines = [
            line
            for name, own in cfg["datasets"].items()
            for line in cost.estimate_stages(name, own, sizes[name], cfg["models"])
        ]
        short = list_shortages(lines, shutil.disk_usage("results").free)
        parts = ["# Rehearsal", *list_pages(cfg["datasets"], sizes), *short, NOTE]
        page = "\n\n".join(parts) + "\n"
        write_text(page, snakemake.output[0])
    replace_unprintable()
    print(page)  # on the terminal too


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
