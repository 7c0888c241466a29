"""How the work is cut up changes nothing: shards, batches, cores; on a CPU to the last bit.

The same machine and versions on both sides; other instruction sets: `test_instruction_sets.py`.
"""

import json

import pytest
from mvc.core import image_tables
from project_tree import copy_parts
from safetensors.torch import load_file
from workflow_run import snakemake

pytestmark = pytest.mark.slow

# The data set of the built project again, cut up otherwise; it was built on two cores.
OTHERWISE = """
datasets:
  variant:
    like: photos
    captions: {batch_size: 2}
    embeddings: {batch_size: 5}
    synthetic: {shards: 3, batch_size: 3}
"""
RUN = "classifiers/wrn-10-1/ra+syn/0.json"


def images(folder, of):
    """The set's images and all that is told of them, in the order of its shards."""
    return image_tables.read(
        [folder / f"synthetic/finetuned/{n}-of-{of}.parquet" for n in range(of)]
    )


@pytest.fixture(scope="module")
def variant(built, tmp_path_factory):
    folder = tmp_path_factory.mktemp("otherwise")
    copy_parts(built, folder, "photos", "models")
    (folder / "otherwise.yaml").write_text(OTHERWISE, encoding="utf-8")
    configs = ["--configfile", "config/config.yaml", "otherwise.yaml"]
    snakemake(folder, *configs, "--", f"results/variant/{RUN}", cores=1)
    return folder / "results/variant"


def test_captions_embeddings_and_recipes_do_not_change(built, variant):
    photos = built / "results/photos"
    for name in ("captions.parquet", "bank.parquet"):
        assert image_tables.read(variant / name).equals(image_tables.read(photos / name))
    here, there = (load_file(root / "embeddings.safetensors") for root in (variant, photos))
    assert all(here[name].equal(there[name]) for name in here | there)


def test_the_fine_tuned_weights_do_not_change(built, variant):
    name = "unet/diffusion_pytorch_model.safetensors"
    assert (variant / name).read_bytes() == (built / "results/photos" / name).read_bytes()


def test_images_in_other_shards_and_batches_are_the_same(built, variant):
    here, there = images(variant, 3), images(built / "results/photos", 2)
    assert len(here) == 12 and here.equals(there), "with where each comes from"


def test_a_classifier_comes_to_the_same_metrics(built, variant):
    folders = (variant, built / "results/photos")
    here, there = (json.loads((root / RUN).read_text(encoding="utf-8")) for root in folders)
    differing = {key for key in here | there if here.get(key) != there.get(key)}
    assert differing <= {"dataset", "seconds"}
