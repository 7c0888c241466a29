"""The target `models`: fetches what is read and no more, checks it, prints files and sizes."""

import os
import shutil
import subprocess

import pytest
import tiny
import yaml
from hub import serve
from project_tree import REPO
from workflow_run import SNAKEMAKE, snakemake

pytestmark = pytest.mark.workflow


def run(folder, *, ok=True, **environment):
    """`snakemake models` with a hub cache of its own."""
    done = subprocess.run(
        [*SNAKEMAKE, "--cores", "1", "models"],
        cwd=folder,
        env={**os.environ, "HF_HOME": str(folder / "cache"), "OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    log = folder / "logs/models.log"
    text = done.stdout + done.stderr + (log.read_text(encoding="utf-8") if log.is_file() else "")
    assert (done.returncode == 0) == ok, text[-6000:]
    return text


@pytest.fixture
def repositories(tmp_path):
    """Models as a hub has them, with files that are not read."""
    root = tmp_path / "hub"
    shutil.copytree(REPO / "resources/miniature/blip2", root / "owner/blip2")
    tiny.stable_diffusion(root / "owner/sd", text=128)
    (root / "owner/blip2/pytorch_model.bin").write_bytes(b"a pickle")
    (root / "owner/sd/v1-5-pruned.safetensors").write_bytes(b"a single file")
    unet = root / "owner/sd/unet/diffusion_pytorch_model.safetensors"
    shutil.copy(unet, unet.with_suffix(".non_ema.safetensors"))
    return root


@pytest.fixture
def edited(project, tmp_path):
    """The tiny project with two of its models on the hub."""
    folder = shutil.copytree(project, tmp_path / "project")
    path = folder / "config/config.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    config["models"] |= {"captioner": "owner/blip2", "diffusion": "owner/sd"}
    path.write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return folder


def test_models_fetches_checks_and_prints(edited, repositories):
    said = run(edited, ok=False, HF_HUB_OFFLINE="1")
    assert "models.captioner = owner/blip2" in said and "models.diffusion = owner/sd" in said
    assert 'hf download owner/blip2 --include "*.json"' in said
    with serve(repositories) as (address, asked):
        said = run(edited, HF_ENDPOINT=address)
        size = (repositories / "owner/blip2/model.safetensors").stat().st_size / 1e6
        assert f"{size:.1f} MB  model.safetensors" in said
        assert "unet/diffusion_pytorch_model.safetensors" in said and "in all" in said
        assert "owner/sd/unet/config.json" in asked and "owner/blip2/tokenizer.json" in asked
        assert not [f for f in asked if f.endswith((".bin", "pruned.safetensors", ".md"))]
        assert not [file for file in asked if "non_ema" in file]
        given = len(asked)
        assert "to download: 0 B" in run(edited, HF_ENDPOINT=address)
        assert len(asked) == given
    said = run(edited, HF_HUB_OFFLINE="1")  # as compute nodes do
    assert "in all, and nothing is missing" in said


def test_models_leaves_out_the_captioner_where_nothing_is_captioned(edited, repositories):
    path = edited / "config/config.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    config["captions"]["describe"] = False
    path.write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), encoding="utf-8")
    with serve(repositories) as (address, asked):
        said = run(edited, HF_ENDPOINT=address)
    assert "models.captioner" not in said and not [file for file in asked if "blip2" in file]
    assert "models.diffusion = owner/sd" in said and "nothing is missing" in said


def test_models_takes_half_precision_where_there_is_no_other(edited, repositories):
    for weights in (repositories / "owner/sd").rglob("diffusion_pytorch_model.safetensors"):
        weights.rename(weights.with_suffix(".fp16.safetensors"))
    with serve(repositories) as (address, asked):
        said = run(edited, HF_ENDPOINT=address)
    assert "unet/diffusion_pytorch_model.fp16.safetensors" in said


def test_models_refuses_what_does_not_fit_once_it_is_there(edited, repositories):
    tiny.stable_diffusion(repositories / "owner/sd", text=64)
    with serve(repositories) as (address, _):
        said = run(edited, ok=False, HF_ENDPOINT=address)
        assert "cross_attention_dim = 64" in said and "width = 128; must be equal" in said
        said = run(edited, ok=False, HF_ENDPOINT=address)  # now before any job
        assert "The configuration has faults" in said


def test_a_run_without_a_gpu_says_so_before_its_first_job(edited):
    hidden = {"CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1", "HF_HOME": str(edited / "cache")}
    said = snakemake(edited, "results/photos/unet/loss.csv", ok=False, **hidden)
    assert said.index("Warning: models.diffusion = owner/sd: no NVIDIA") < said.index("rule images")
    said = snakemake(edited, "--forceall", "results/photos/images/train.parquet", **hidden)
    assert "no NVIDIA" not in said
