"""The worked example of docs/own-data.md, as it stands there: PNG files in, a training set out."""

import re
import shutil
import subprocess
import sys

import pytest
from conftest import PARTS, REPO
from workflow_run import planned, snakemake

pytestmark = pytest.mark.slow
PAGE = (REPO / "docs/own-data.md").read_text(encoding="utf-8")
# The example made short: few labels, few steps.
SHORT = """
datasets: {my-data: {images: {labels_per_class: 2}}}
captions: {max_new_tokens: 6, num_beams: 1}
banks: {per_real: 1}
unet: {steps: 2, batch_size: 4, samples: {each: 1, steps: 2, scale: 2.0}}
synthetic: {steps: 2, shards: 1}
"""


def block(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("own")
    for part in PARTS:
        copy = shutil.copytree if (REPO / part).is_dir() else shutil.copy2
        copy(REPO / part, root / part)
    (root / "config/my-data.yaml").write_text(block("yaml")[0], encoding="utf-8")
    (root / "config/short.yaml").write_text(SHORT, encoding="utf-8")
    subprocess.run([sys.executable, "-c", block("python")[0]], cwd=root, check=True)
    return root


def test_the_worked_example_gives_a_folder_to_train_on(folder):
    (line,) = [line for line in block("sh")[0].splitlines() if line]
    *_, target = line.split()
    configs = ["config/my-data.yaml", "config/short.yaml"]
    snakemake(folder, "--configfile", *configs, "--", target)
    from datasets import load_dataset
    from torchvision.datasets import ImageFolder

    made = folder / "results/my-data/augmented"
    images = ImageFolder(str(made / "train"))
    assert len(images) == 40 and len(images.classes) == 10
    assert sum("synthetic-" in path for path, _ in images.samples) == 20
    cache = str(folder / "cache")
    table = load_dataset(str(made), split="train", cache_dir=cache)
    assert len(table) == 40 and sum(table["synthetic"]) == 20
    assert table[0]["image"].size == (8, 8), "stored at the data set's own size"
    assert (made / "README.md").is_file() and (made / "provenance.csv").is_file()


def test_the_examples_tables_can_be_made(folder):
    rules = planned(folder, "--configfile", "config/my-data.yaml", "--", "tables")
    assert {"images", "unet", "policies", "classifiers", "table", "figure6"} <= set(rules)
