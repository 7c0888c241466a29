"""The worked example of docs/own-data.md, as it stands there: PNG files in, a training set out."""

import csv
import io
import json
import re
import subprocess
import sys

import pytest
from mvc.core import image_tables
from PIL import Image
from project_tree import REPO, copy_parts
from safetensors.torch import load_file
from workflow_run import planned, snakemake

pytestmark = pytest.mark.slow
PAGE = (REPO / "docs/own-data.md").read_text(encoding="utf-8")
# The example made short: few labels, few steps.
SHORT = """
datasets: {my-data: {images: {labels_per_class: 2}}}
captions: {max_new_tokens: 6, num_beams: 1}
banks: {per_real: 1}
unet: {steps: 2, batch_size: 4}
classifiers: {per_real: 1}
figures: {samples: {classes: 9, per_class: 1, steps: 2, scale: 2.0}}
synthetic: {steps: 2, shards: 1}
"""
# A variant whose synthetic images are of both generators, with the controls of docs/own-data.md.
VARIANT = """
datasets:
  variant:
    like: my-data
    unet: {pairing: own, text: caption}
    synthetic: {pretrained_share: 0.5}
    augmented:
      filters: {clip: top, oracle: true, memorised: true}
      format: [webdataset]
classifiers:
  strategy: two_phase
  steps: null
  epochs: 2
  models: {test_resnet: null, test_efficientnet: null}
  arms:
    ra+long: {augmentation: ra, extra: null, steps_as_with: 1}
    ra+half: {augmentation: ra, extra: synthetic, per_real: 0.5}
    ra+append: {augmentation: ra, extra: synthetic, strategy: rsp, rsp: {p: 0.8, mode: append}}
"""
ARMS = ("ra+syn", "ra+long", "ra+half", "ra+append")
RUNS = {arm: f"results/variant/classifiers/wrn-10-1/{arm}/0.json" for arm in ARMS}
BANK = "results/variant/bank_tensors/bank.safetensors.index.json"
CHOSEN = "results/variant/augmented"


def block(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("own")
    copy_parts(REPO, root)
    (root / "config/my-data.yaml").write_text(block("yaml")[0], encoding="utf-8")
    (root / "config/short.yaml").write_text(SHORT, encoding="utf-8")
    (root / "config/variant.yaml").write_text(VARIANT, encoding="utf-8")
    subprocess.run([sys.executable, "-c", block("python")[0]], cwd=root, check=True)
    return root


@pytest.fixture(scope="module")
def made(folder):
    """What the example's command makes, and the runs and the bank of the variant, by one run."""
    (line,) = [line for line in block("sh")[0].splitlines() if line]
    *_, target = line.split()
    configs = [f"config/{name}.yaml" for name in ("my-data", "short", "variant")]
    snakemake(folder, "--configfile", *configs, "--", target, *RUNS.values(), BANK, CHOSEN)
    return folder


def test_the_worked_example_gives_a_folder_to_train_on(made, tmp_path):
    from datasets import load_dataset
    from torchvision.datasets import ImageFolder

    made = made / "results/my-data/augmented"
    images = ImageFolder(str(made / "train"))
    assert len(images) == 40 and len(images.classes) == 10
    assert sum("synthetic-" in path for path, _ in images.samples) == 20
    table = load_dataset(str(made), split="train", cache_dir=str(tmp_path))
    assert len(table) == 40 and sum(table["synthetic"]) == 20
    assert table[0]["image"].size == (28, 28), "as classifiers see it"
    with Image.open(io.BytesIO(table[0]["original"])) as original:
        assert original.size == (8, 8), "as it is stored"
    assert (made / "README.md").is_file() and (made / "provenance.csv").is_file()


def test_filters_name_what_they_drop(made):
    with open(made / CHOSEN / "provenance.csv", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["synthetic"] == "True"]
    choice = json.loads((made / CHOSEN / "selection.json").read_text("utf-8"))
    kept = [row for row in rows if row["kept"] == "True"]
    assert choice["made"] == len(rows) == 20 and choice["delivered"] == len(kept)
    assert all(row["oracle_class"] == row["class_name"] for row in kept)
    assert all(row["oracle_class"] and row["reason"] for row in rows)
    assert [path.name for path in (made / CHOSEN / "shards").iterdir()] == [
        "train-00000-of-00001.tar"
    ]


def test_the_examples_tables_can_be_made(folder):
    rules = planned(folder, "--configfile", "config/my-data.yaml", "--", "tables")
    assert {"images", "unet", "policies", "classifiers", "table", "figure6"} <= set(rules)


def test_variants_and_controls_run_by_their_one_line(made):
    runs = {arm: json.loads((made / file).read_text("utf-8")) for arm, file in RUNS.items()}
    assert {arm: run["n_extra"] for arm, run in runs.items()} == {
        "ra+syn": 20,
        "ra+long": 0,
        "ra+half": 10,
        "ra+append": 20,
    }
    assert runs["ra+long"]["steps"] == runs["ra+syn"]["steps"] > runs["ra+append"]["steps"]
    shard = made / "results/variant/synthetic/mixed/0-of-1.parquet"
    generators = image_tables.read(shard, ["generator"])["generator"].to_pylist()
    assert generators.count("finetuned") == generators.count("pretrained") == 10
    shard = made / "results/variant/bank_tensors/bank-00001-of-00001.safetensors"
    assert load_file(shard)["tokens.1"].shape == (20, 77, 128)
