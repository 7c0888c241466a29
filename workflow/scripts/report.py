"""report: what a run found, as pages that a browser opens without a network."""

import shutil
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import yaml
from mvc.augmented.export import replace_folder
from mvc.job import stage_log
from mvc.report.collect import collect_page
from mvc.report.gallery import pick_strip, write_pictures
from mvc.report.pages import format_dataset, format_index


def write_dataset(name: str, cfg: dict, defaults: dict, folder: Path, *, title: str) -> dict:
    """Write the page of a data set and its pictures; return what the first page says of it."""
    shown = {"digits": cfg["digits"], "confidence": cfg["confidence"]}
    page, gallery = collect_page(name, cfg["datasets"][name], defaults, **shown)
    place = folder / name
    place.mkdir()
    if gallery:
        write_pictures(gallery, place / "pictures")
    if page["samples"]:
        shutil.copyfile(page["samples"], place / "samples.png")
    text = format_dataset(page, gallery, title=title)
    (place / "index.html").write_text(text, encoding="utf-8")
    return {**page, "link": quote(name), "strip": pick_strip(gallery) if gallery else []}


def main(snakemake) -> None:
    cfg = snakemake.params.cfg
    with stage_log(snakemake) as report:
        defaults = yaml.safe_load(Path(snakemake.input.defaults).read_text(encoding="utf-8"))
        title = cfg["name"] or "Mixing Visual Concepts"
        with replace_folder(snakemake.output[0]) as folder:
            pages = [
                write_dataset(name, cfg, defaults, folder, title=title) for name in cfg["datasets"]
            ]
            text = format_index(pages, title=title, made=f"{datetime.now():%d %B %Y, %H:%M}")
            (folder / "index.html").write_text(text, encoding="utf-8")
        report(len(pages), "data sets", f"open {snakemake.output[0]}/index.html")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
