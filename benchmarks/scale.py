"""Seconds and peak memory of every stage, images to `augmented`, as the set of images grows.

    python benchmarks/scale.py [--images 100 1000 10000 --cores 2 --folder DIR --target augmented]

Fashion-MNIST as PNG files in class folders, the shipped miniature models, one synthetic image per
real one, the workflow's own benchmark files. Fine-tuning takes the same 20 steps for every size, so
that its seconds per image fall. A stage is flat if its peak memory and its seconds per image do not
grow with the number of images. The folder keeps images and results: a second run goes on.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow/scripts"))

import pandas as pd
import yaml
from mvc.core.markdown import format_table
from mvc.images.loaders.fashion_mnist import CLASSES, find
from mvc.report.facts import summarise_stages
from PIL import Image

HEADINGS = ("images", "stage", "jobs", "seconds", "ms per image", "peak MB", "kB per further image")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path("results/scale"))
    parser.add_argument("--target", default="augmented", help="below results/<data set>/")
    return parser.parse_args()


def write_images(n: int, folder: Path) -> None:
    """Write the first n training images as PNG files, one folder per class."""
    arrays, *_ = find(None, data=ROOT / "data", key="path")
    for i, (pixels, label) in enumerate(
        zip(arrays.train_images[:n], arrays.train_labels, strict=False)
    ):
        file = folder / CLASSES[label].replace("/", "-") / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(file)


def write_settings(sizes: Sequence[int], folder: Path) -> None:
    """Write the configuration of one data set per size, for `--directory`."""
    datasets = {"fashion-mnist-few": None} | {
        f"n{n}": {"loader": "imagefolder", "path": f"images/{n}"} for n in sizes
    }
    settings = {
        "datasets": datasets,
        "banks": {"per_real": 1},
        "unet": {"steps": 20, "steps_per_image": None},
        "classifiers": {"per_real": None, "select": "first"},
    }
    (folder / "config").mkdir(exist_ok=True)
    (folder / "config/config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")


def run(options: argparse.Namespace) -> None:
    """Run the workflow to the target of every size, one after the other."""
    place = ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(options.folder)]
    command = [sys.executable, "-m", "snakemake", "--cores", str(options.cores), *place]
    for n in options.images:
        target = f"results/n{n}/{options.target}"
        subprocess.run([*command, "--quiet", "rules", "--", target], check=True)


def tabulate(sizes: Sequence[int], folder: Path) -> pd.DataFrame:
    """One row per size and stage; memory per further image is against the size before."""
    parts = []
    for n in sizes:
        stages = summarise_stages(folder / "results/benchmarks", f"n{n}")
        parts.append(stages.reset_index().assign(images=n))
    table = pd.concat(parts)
    table["ms"] = 1000 * table["seconds"] / table["images"]
    table["mb"] = table["peak_mib"] * 2**20 / 1e6
    grouped = table.groupby("stage", sort=False)
    table["kb"] = 1000 * grouped["mb"].diff() / grouped["images"].diff()
    return table


def main() -> None:
    options = parse_arguments()
    for n in options.images:
        images = options.folder / f"images/{n}"
        if not images.exists():
            write_images(n, images)
    write_settings(options.images, options.folder)
    run(options)
    rows = [
        (f"{r.images:,}", r.stage, f"{r.jobs}", f"{r.seconds:,.1f}", f"{r.ms:,.2f}", f"{r.mb:,.0f}")
        + ("" if pd.isna(r.kb) else f"{r.kb:,.1f}",)
        for r in tabulate(options.images, options.folder).itertuples()
    ]
    print(format_table(HEADINGS, rows, left=2))


if __name__ == "__main__":
    main()
