"""models: fetch all foundation models and published weights, check them, print files and sizes."""

from pathlib import Path

from huggingface_hub import constants
from mvc.console.terminal import replace_unprintable
from mvc.job import stage_log
from mvc.models import inventory
from mvc.models.checking import refuse_models


def main(snakemake) -> None:
    cfg = {**snakemake.params.cfg, "models": inventory.choose_models(snakemake.params.cfg)}
    with stage_log(snakemake) as report:
        sources = inventory.list_sources(cfg["models"], cfg["networks"])
        if not constants.HF_HUB_OFFLINE:
            inventory.check_downloads(sources, Path(constants.HF_HUB_CACHE))
        files = inventory.fetch_all(sources)
        refuse_models(cfg)
        page = inventory.format_page(files)
        print(page)
        report(sum(map(len, files.values())), "files")
    replace_unprintable()
    print(page)  # on the terminal too


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
