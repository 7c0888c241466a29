"""`import mvc` on a built project: the same results as the stages, and any image again."""

import io
import shutil
import subprocess
import sys
from pathlib import Path

import mvc
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import remake
import torch
from mvc.core import image_tables
from mvc.core.pixels import resize
from PIL import Image
from project_tree import tiny_config
from safetensors.torch import load_file, save_file
from workflow_run import snakemake

pytestmark = pytest.mark.slow
RESULTS = Path("results/photos")


@pytest.fixture
def at(built, monkeypatch):
    """The built project as working directory, its models named from there."""
    monkeypatch.chdir(built)
    return built


def read_pixels(image) -> np.ndarray:
    if isinstance(image, bytes):
        image = Image.open(io.BytesIO(image))
    return np.asarray(image.convert("RGB"))


def read_table(name: str) -> pd.DataFrame:
    return image_tables.read(RESULTS / name).to_pandas()


def test_captions_embeddings_and_recipes_are_those_of_the_stages(at):
    cfg = tiny_config(at)
    models, train = cfg["models"], image_tables.read(RESULTS / "images/train.parquet")
    table = read_table("captions.parquet")
    files = [Image.open(io.BytesIO(data)) for data in image_tables.get_bytes(train)]
    names = train["class_name"].to_pylist()
    search = {key: cfg["captions"][key] for key in ("max_new_tokens", "num_beams")}
    captions = mvc.caption(files, captioner=models["captioner"], **search)
    assert captions == list(table["caption"])
    opened = {key: models[key] for key in ("clip", "diffusion")}
    embeddings = mvc.embed(captions, names, **opened)
    stored = load_file(RESULTS / "embeddings.safetensors")
    assert all(torch.equal(embeddings[key], stored[key]) for key in stored)
    bank = read_table("bank.parquet")
    mixed = mvc.mix(embeddings, names, per_real=1)
    pd.testing.assert_frame_equal(mixed.drop(columns="class_name"), bank)
    assert torch.equal(mvc.materialise(stored, bank), mvc.materialise(stored, mixed))


def test_a_shard_is_what_generate_makes_of_its_rows(at):
    cfg, shard = tiny_config(at), read_table("synthetic/finetuned/0-of-2.parquet")
    embeddings = load_file(RESULTS / "embeddings.safetensors")
    options = {key: cfg["synthetic"][key] for key in ("steps", "scale")}
    generator = mvc.load_generator(
        RESULTS / "unet", embeddings, diffusion=cfg["models"]["diffusion"], **options
    )
    bank = read_table("bank.parquet").set_index("bank_id").loc[shard["bank_id"]]
    train = read_table("images/train.parquet").set_index("image_id")
    sources = [
        Image.open(io.BytesIO(image["bytes"])) for image in train["image"][shard["source_image_id"]]
    ]
    made = mvc.generate(generator, bank, sources, seeds=list(shard["seed"]))
    for image, stored in zip(made, shard["image"], strict=True):
        pixels = read_pixels(stored["bytes"])
        tensor = torch.tensor(read_pixels(image)).permute(2, 0, 1)[None]
        resized = resize(tensor, len(pixels))[0].permute(1, 2, 0)  # as the stage stores it
        assert np.array_equal(resized.numpy(), pixels)
    files = [image["bytes"] for image in shard["image"]]
    found = mvc.filter(
        [Image.open(io.BytesIO(data)) for data in files],
        list(shard["class_name"]),
        clip=cfg["models"]["clip"],
        classes=list(train["class_name"].unique()),
    )
    np.testing.assert_array_equal(found["clip_probability"], shard["clip_probability"])


@pytest.mark.parametrize("name", ["finetuned/0", "finetuned/1", "pretrained/0", "pretrained/1"])
def test_remake_makes_any_image_again(built, name):
    """From another folder than the one that the run was started in."""
    shard = built / RESULTS / f"synthetic/{name}-of-2.parquet"
    files = image_tables.get_bytes(image_tables.read(shard))
    for row in (0, 3, len(files) - 1):
        assert np.array_equal(read_pixels(mvc.remake(shard, row)), read_pixels(files[row])), row


def test_remake_makes_images_of_a_mixed_set_again(copied):
    (copied / "mixed.yaml").write_text("synthetic: {pretrained_share: 0.5}\n", encoding="utf-8")
    file = str(RESULTS / "synthetic/mixed/1-of-2.parquet")
    snakemake(copied, "--configfile", "mixed.yaml", "--", file)
    table = image_tables.read(copied / file)
    assert set(table["generator"].to_pylist()) == {"finetuned", "pretrained"}
    for row, data in enumerate(image_tables.get_bytes(table)):
        assert np.array_equal(read_pixels(mvc.remake(copied / file, row)), read_pixels(data)), row


def test_the_command_writes_the_image_and_says_that_it_is_the_same(built, tmp_path):
    shard = built / RESULTS / "synthetic/finetuned/1-of-2.parquet"
    script = built / "workflow/scripts/remake.py"
    command = [sys.executable, str(script), str(shard), "2", "--output", "image.png"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith("the same pixels as in the shard")
    stored = image_tables.get_bytes(image_tables.read(shard))[2]
    assert np.array_equal(read_pixels((tmp_path / "image.png").read_bytes()), read_pixels(stored))


def test_the_command_says_where_an_image_differs(copied, tmp_path, capsys):
    shard = copied / RESULTS / "synthetic/finetuned/0-of-2.parquet"
    table = image_tables.read(shard)
    files = image_tables.get_bytes(table)
    files[0] = files[1]
    other = image_tables.build_table(
        data=files,
        labels=table["label"].to_pylist(),
        class_names=table["class_name"].to_pylist(),
        image_ids=table["image_id"].to_pylist(),
        suffix=".png",
        **{name: table[name].combine_chunks() for name in table.column_names[5:]},
    )
    pq.write_table(other.cast(table.schema), shard)
    assert remake.main([str(shard), "0", "--output", str(tmp_path / "a.png")]) == 2
    assert "of the values differ from the shard's, by at most" in capsys.readouterr().out


def refuse(capsys, shard, row, tmp_path) -> str:
    """What the command prints where it refuses; no file is written."""
    output = tmp_path / "refused.png"
    assert remake.main([str(shard), str(row), "-o", str(output)]) == 1
    assert not output.exists()
    return capsys.readouterr().err


def test_remake_refuses_what_it_cannot_make(built, tmp_path, capsys):
    results = built / RESULTS
    shard = results / "synthetic/finetuned/0-of-2.parquet"
    count = len(image_tables.read(shard))
    for row in (count, -1):
        said = refuse(capsys, shard, row, tmp_path)
        assert f"0-of-2.parquet has no row {row}; it has rows 0 to {count - 1}" in said
    wanted = "must be results/<data set>/synthetic/{finetuned,pretrained,mixed}/<i>-of-<n>.parquet"
    for other in ("images/train.parquet", "synthetic/real/0-of-2.parquet", "bank.parquet"):
        assert f"holds no images of a generator; {wanted}" in refuse(
            capsys, results / other, 0, tmp_path
        )
    assert wanted in refuse(capsys, results / "embeddings.safetensors", 0, tmp_path)
    assert "nowhere.parquet" in refuse(capsys, "nowhere.parquet", 0, tmp_path)
    old = tmp_path / "old.parquet"
    pq.write_table(pq.read_table(shard).replace_schema_metadata(None), old)
    assert "does not say with which settings it was made" in refuse(capsys, old, 0, tmp_path)


CHANGED = {
    "results/photos/unet/diffusion_pytorch_model.safetensors": "the U-Net",
    "models/stable-diffusion/vae/diffusion_pytorch_model.safetensors": "models",
    "results/photos/embeddings.safetensors": "embeddings",
}


def test_remake_refuses_other_files_than_the_shard_was_made_from(copied, tmp_path, capsys):
    shard = copied / RESULTS / "synthetic/finetuned/0-of-2.parquet"
    for name, what in CHANGED.items():
        file = copied / name
        kept = shutil.copy2(file, tmp_path / "kept")
        save_file({key: tensor * 2 for key, tensor in load_file(file).items()}, file)
        said = refuse(capsys, shard, 0, tmp_path)
        assert f"was made from {what} of digest" in said and str(file) in said
        shutil.copy2(kept, file)
    (copied / RESULTS / "bank.parquet").unlink()
    assert "bank.parquet" in refuse(capsys, shard, 0, tmp_path)
