"""The bank as tensors: what the recipes make, in shards that the library opens by their index."""

import json
from types import SimpleNamespace

import bank_tensors as stage
import pytest
import torch
from mvc.banks import mixing
from mvc.banks.export import materialise_half, write_shards
from mvc.banks.recipes import read_recipes, stack_recipes, tabulate_recipes
from mvc.core import image_tables
from safetensors.torch import load_file, save_file

LABELS = [0, 0, 0, 1, 1]
INDEX = "bank.safetensors.index.json"
EMBEDDING = 7 * 16 * 2  # bytes in float16


@pytest.fixture
def world():
    rng = torch.Generator().manual_seed(0)
    tokens = torch.randn(5, 7, 16, generator=rng).half()
    counts = {label: 3 * LABELS.count(label) for label in LABELS}
    options = dict(counts=counts, coarse=2, fine=3, rows="all", base="uniform", seed=0)
    rows = [*mixing.mix_classes(LABELS, tokens, torch.full((5,), 7), **options)]
    return tokens, torch.randn(7, 16, generator=rng).half(), rows


def write(folder, world, **options):
    tokens, null, rows = world
    labels = torch.tensor([row["label"] for row in rows])
    write_shards(
        folder / INDEX, stack_recipes(rows), tokens, null, columns={"labels": labels}, **options
    )


def list_files(folder):
    return sorted(path.name for path in folder.iterdir())


def load(folder):
    """All tensors, each from the shard that the index names; the shards hold no others."""
    index = json.loads((folder / INDEX).read_text())
    shards = {name: load_file(folder / name) for name in index["weight_map"].values()}
    assert sorted([*shards, INDEX]) == list_files(folder)
    tensors = {key: shards[name][key] for key, name in index["weight_map"].items()}
    assert sum(map(len, shards.values())) == len(tensors)
    assert sum(tensor.nbytes for tensor in tensors.values()) == index["metadata"]["total_size"]
    return tensors


def test_stage_writes_the_mixed_embeddings(world, tmp_path):
    tokens, null, rows = world
    save_file({"tokens": tokens, "null": null}, tmp_path / "embeddings.safetensors")
    image_tables.write(tabulate_recipes(rows, [0.0] * len(rows)), tmp_path / "bank.parquet")
    folder = tmp_path / "bank_tensors"
    stage.main(
        SimpleNamespace(
            input=SimpleNamespace(
                embeddings=str(tmp_path / "embeddings.safetensors"),
                bank=str(tmp_path / "bank.parquet"),
            ),
            output=[str(folder / INDEX)],
            log=[str(tmp_path / "log")],
            params=SimpleNamespace(),
            threads=1,
        )
    )
    tensors = load(folder)
    recipes = read_recipes(image_tables.read(tmp_path / "bank.parquet"))
    assert torch.equal(tensors["tokens.1"], mixing.materialise(tokens, recipes))
    assert tensors["tokens.1"].dtype == torch.float16 and tensors["tokens.1"].shape == (15, 7, 16)
    assert torch.equal(tensors["null"], null)
    assert tensors["labels.1"].tolist() == [0] * 9 + [1] * 6
    assert tensors["bank_id.1"].tolist() == list(range(15))


@pytest.mark.parametrize("rows, shards", [(1, 15), (4, 4), (5, 3), (15, 1), (100, 1)])
def test_write_shards_loses_nothing_in_any_number_of_shards(world, tmp_path, rows, shards):
    tokens, null, recipes = world
    write(tmp_path, world, shard_size=rows * EMBEDDING + 1)
    assert len(list_files(tmp_path)) == shards + 1
    tensors = load(tmp_path)
    parts = [tensors[f"tokens.{number}"] for number in range(1, shards + 1)]
    assert max(map(len, parts)) <= rows
    assert torch.equal(torch.cat(parts), mixing.materialise(tokens, stack_recipes(recipes)))
    labels = [tensors[f"labels.{number}"] for number in range(1, shards + 1)]
    assert torch.cat(labels).tolist() == [0] * 9 + [1] * 6
    assert torch.equal(tensors["null"], null)


@pytest.mark.parametrize("batch_size", [1, 4, 15, 100])
def test_materialise_half_does_not_depend_on_the_batch_size(world, batch_size):
    tokens, _, rows = world
    recipes = stack_recipes(rows)
    expected = mixing.materialise(tokens.float(), recipes).half()
    assert torch.equal(materialise_half(tokens.float(), recipes, batch_size=batch_size), expected)


def test_write_shards_leaves_no_index_if_it_fails_and_no_old_shard_if_not(world, tmp_path):
    def stop(done):
        if done > 4:
            raise KeyError(done)

    with pytest.raises(KeyError):
        write(tmp_path, world, shard_size=2 * EMBEDDING, show=stop)
    assert INDEX not in list_files(tmp_path) and len(list_files(tmp_path)) == 3
    done = []
    write(tmp_path, world, shard_size=6 * EMBEDDING, show=done.append)
    assert done == [6, 12, 15]
    assert len(load(tmp_path)) == 3 * 2 + 1
