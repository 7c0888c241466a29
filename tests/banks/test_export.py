"""The bank as tensors: the same as the recipes, in a file that the library opens."""

from types import SimpleNamespace

import bank_tensors as stage
import pytest
import torch
from mvc.banks import export, mixing
from mvc.banks.recipes import from_rows, from_table, to_table
from mvc.core import image_tables
from safetensors import safe_open
from safetensors.torch import load_file, save_file

LABELS = [0, 0, 0, 1, 1]


@pytest.fixture
def world():
    rng = torch.Generator().manual_seed(0)
    tokens = torch.randn(5, 7, 16, generator=rng).half()
    options = dict(per_real=3, coarse=2, fine=3, rows="all", base="uniform", seed=0)
    rows = [*mixing.mix_classes(LABELS, tokens, torch.full((5,), 7), **options)]
    return tokens, torch.randn(7, 16, generator=rng).half(), rows


def test_file_holds_the_mixed_embeddings(world, tmp_path):
    tokens, null, rows = world
    save_file({"tokens": tokens, "null": null}, tmp_path / "embeddings.safetensors")
    image_tables.write(to_table(rows, [0.0] * len(rows)), tmp_path / "bank.parquet")
    path = tmp_path / "bank.safetensors"
    stage.main(
        SimpleNamespace(
            input=SimpleNamespace(
                embeddings=str(tmp_path / "embeddings.safetensors"),
                bank=str(tmp_path / "bank.parquet"),
            ),
            output=[str(path)],
            log=[str(tmp_path / "log")],
            params=SimpleNamespace(),
            threads=1,
        )
    )
    made = load_file(path)
    recipes = from_table(image_tables.read(tmp_path / "bank.parquet"))
    assert torch.equal(made["tokens"], mixing.materialise(tokens, recipes))
    assert made["tokens"].dtype == torch.float16 and made["tokens"].shape == (15, 7, 16)
    assert torch.equal(made["null"], null)
    assert made["labels"].tolist() == [0] * 9 + [1] * 6
    assert made["bank_id"].tolist() == list(range(15))


def test_batches_change_no_byte_and_one_row_can_be_read(world, tmp_path):
    tokens, null, rows = world
    recipes = from_rows(rows)
    done = []
    for size in (1, 4, 100):
        export.write(
            tmp_path / str(size),
            recipes,
            tokens,
            null,
            columns={"labels": torch.tensor([row["label"] for row in rows])},
            batch_size=size,
            show=done.append,
        )
    contents = {(tmp_path / str(size)).read_bytes() for size in (1, 4, 100)}
    assert len(contents) == 1
    assert done == [*range(1, 16), 4, 8, 12, 15, 15]
    with safe_open(tmp_path / "4", "pt") as file:
        row = file.get_slice("tokens")[11:12]
    assert torch.equal(row, mixing.materialise(tokens, recipes[11:12]))


def test_no_file_is_left_if_it_fails(world, tmp_path):
    tokens, null, rows = world

    def stop(done):
        raise KeyError(done)

    with pytest.raises(KeyError):
        export.write(
            tmp_path / "bank", from_rows(rows), tokens, null, columns={}, batch_size=4, show=stop
        )
    assert list(tmp_path.iterdir()) == []
