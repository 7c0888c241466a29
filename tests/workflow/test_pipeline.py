"""The whole workflow, tiny, with its real components: every target, contract and promise."""

import csv
import json

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from mvc.banks import mixing
from mvc.banks.recipes import read_recipes
from mvc.core import image_tables
from PIL import Image
from project_tree import CLASSES
from safetensors.torch import load_file
from workflow_run import planned, snakemake

pytestmark = pytest.mark.slow
SETS = ("finetuned", "pretrained", "real", "real_vae", "train_vae")


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_nothing_is_left_to_do(built):
    assert "Nothing to be done" in snakemake(built, "--dry-run", "all")


def test_every_stage_keeps_its_contract(built):
    root = built / "results/photos"
    train = image_tables.read(root / "images/train.parquet")
    captions = image_tables.read(root / "captions.parquet")
    embeddings = load_file(root / "embeddings.safetensors")
    bank = image_tables.read(root / "bank.parquet")
    assert captions["image_id"].to_pylist() == train["image_id"].to_pylist()
    assert set(train["class_name"].to_pylist()) == set(CLASSES)
    pairs = zip(captions["prompt"].to_pylist(), train["class_name"].to_pylist(), strict=True)
    assert all(prompt.startswith(f"This is an image of {name}") for prompt, name in pairs)
    assert embeddings["tokens"].shape == (12, 77, 128) and embeddings["null"].shape == (77, 128)
    assert len(bank) == 12 and set(bank["label"].to_pylist()) == {0, 1, 2}
    assert mixing.materialise(embeddings["tokens"], read_recipes(bank)).shape == (12, 77, 128)


def test_synthetic_images_carry_their_provenance(built):
    root = built / "results/photos"
    train = image_tables.read(root / "images/train.parquet")
    for name in SETS[:2]:
        table = image_tables.read(sorted((root / f"synthetic/{name}").glob("*-of-2.parquet")))
        assert len(table) == 12
        assert set(table["source_image_id"].to_pylist()) <= set(train["image_id"].to_pylist())
        assert len(set(table["seed"].to_pylist())) == 12
        assert len(set(table["generator_digest"].to_pylist())) == 1


def test_image_tables_open_as_image_columns(built):
    """The metadata by which Hugging Face `datasets` decodes a column into pictures."""
    for path in (built / "results/photos").rglob("*.parquet"):
        schema = pq.read_schema(path)
        if "image" in schema.names:
            info = json.loads(schema.metadata[b"huggingface"])["info"]
            assert info["features"]["image"] == {"_type": "Image"}


def test_no_held_out_image_was_used(built):
    root = built / "results/photos"
    held = image_tables.read(root / "images/held_out.parquet")
    for path in [root / "captions.parquet", *root.glob("synthetic/*/*.parquet")]:
        table = image_tables.read(path)
        for key in {"image_id", "source_image_id", "sha256"} & set(table.column_names):
            column = "sha256" if key == "sha256" else "image_id"
            assert not pc.any(pc.is_in(table[key], value_set=held[column].combine_chunks())).as_py()


def test_tables_and_figures_are_whole(built):
    for number in (1, 4, 5):
        (row,) = rows(built / f"results/tables/table{number}.csv")
        assert row["dataset"] == "photos" and row["model"] == "wrn-10-1"
        assert (built / f"results/tables/table{number}.tex").is_file()
    assert not (built / "results/tables/table2.csv").exists(), "no data set stands in Table 2"
    text = (built / "results/tables/table1.md").read_text(encoding="utf-8")
    assert "not run" in text and "Ours(RA+Syn)" in text
    assert len(rows(built / "results/tables/table1_runs.csv")) == 6
    assert len(rows(built / "results/tables/quality.csv")) >= 2
    for picture in ("figure1", "figure2", "figure5", "figure6"):
        with Image.open(built / f"results/figures/{picture}.png") as image:
            image.verify()


def test_figure_2_measures_what_each_mixing_changes(built):
    changes = rows(built / "results/figures/figure2.csv")
    kinds = [(row["kind"], row["class_name"]) for row in changes]
    assert len(kinds) == 3 * 3 and len({name for _, name in kinds}) == 3
    assert {kind for kind, _ in kinds} == {"coarse mixing", "fine mixing", "other noise"}
    other = [float(row["change"]) for row in changes if row["kind"] == "other noise"]
    assert all(0 < change < 255 for change in other), "other noise gives another image"


OTHER = "datasets: {photos: null, others: {loader: imagefolder, path: photos}}\n"


@pytest.mark.parametrize("file", ["tables/table1.csv", "figures/figure1.png"])
def test_check_overwritten_keeps_the_tables_of_another_configuration(copied, file):
    """Refused before the first job; under a name of its own it goes to a folder of its own."""
    (copied / "other.yaml").write_text(OTHER, encoding="utf-8")
    configs = ["--configfile", "config/config.yaml", "other.yaml"]
    before = (copied / "results" / file).read_bytes()
    said = snakemake(copied, *configs, "--", f"results/{file}", ok=False)
    assert "photos" in said and "--config name=others" in said
    assert (copied / "results" / file).read_bytes() == before
    assert not (copied / "results/others").exists(), "no job was begun"
    planned(copied, *configs, "--config", "name=second", "--", f"results/second/{file}")


def test_augmented_is_a_target_of_all_data_sets(built):
    assert planned(built, "augmented") == ["augmented", "augmented_set"]


def test_a_damaged_shard_is_named_and_made_anew(copied):
    shard = copied / "results/photos/synthetic/finetuned/0-of-2.parquet"
    whole = shard.read_bytes()
    shard.write_bytes(whole[: len(whole) // 2])
    reader = "results/photos/classifiers/wrn-10-1/ra+syn/0.json"
    (copied / reader).unlink()  # a run that has not come further than the shard
    said = snakemake(copied, reader, ok=False)
    assert "0-of-2.parquet is cut off" in said and "delete it and run again" in said
    shard.unlink()
    snakemake(copied, str(shard.relative_to(copied)))
    assert shard.read_bytes() == whole


def test_missing_model_folder_names_the_key(built):
    said = snakemake(
        built,
        "results/photos/captions.parquet",
        "--config",
        'models={"captioner": "nowhere", "clip": "nowhere", "diffusion": "nowhere"}',
        "--dry-run",
        ok=False,
    )
    assert "models.captioner = 'nowhere': no such folder" in said
    assert (built / "results/photos/captions.parquet").is_file()
