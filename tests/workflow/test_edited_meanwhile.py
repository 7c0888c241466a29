"""Edits while jobs wait are refused: they would build with them and record what was before."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from workflow_run import planned

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[1]
BANK = "results/photos/bank.parquet"
KEPT = "stop it, and start snakemake again; what is finished is kept"
# Jobs get these by their command line; they are no edits.
GIVEN = ["--config", "seed=5", 'models={"clip": "resources/miniature/clip"}']
GIVEN += ["--configfile", "config/config.yaml", "overlay.yaml"]


@pytest.fixture
def fresh(project, tmp_path):
    """A tiny project of its own, nothing built."""
    root = tmp_path / "project"
    built = shutil.ignore_patterns("results", "logs", ".snakemake")
    shutil.copytree(project, root, ignore=built)
    (root / "overlay.yaml").write_text("banks: {coarse: 1}\n", encoding="utf-8")
    return root


def edit_meanwhile(root: Path, stage: str, edit, *arguments: str) -> str:
    """Run up to the bank, edit once the stage's script has started, and return what is said."""
    log = root / f"logs/photos/{stage}.log"
    log.unlink(missing_ok=True)
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *arguments, "--", BANK]
    other = '{"config": {"unet": "of another run"}, "code": {"banks.py": "of another run"}}'
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)
    env = os.environ | {"MVC_STARTED_WITH": other, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, cwd=root, env=env, **pipes) as process:
        end = time.monotonic() + 300
        while process.poll() is None and not log.exists() and time.monotonic() < end:
            time.sleep(0.02)
        edit()
        said, _ = process.communicate(timeout=300)
    assert process.returncode, said
    return said


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def test_a_job_that_finds_another_configuration_is_refused(fresh):
    apart = ["--executor", "apart", "--jobs", "1", *GIVEN]
    overlay = fresh / "overlay.yaml"
    said = edit_meanwhile(
        fresh, "images", lambda: append(overlay, "unet: {steps: 5}\n# a comment\n"), *apart
    )
    assert (
        f"section unet of the configuration was edited after this run had started: {KEPT}" in said
    )
    assert (fresh / "results/photos/images/train.parquet").exists()
    assert not (fresh / "results/photos/captions.parquet").exists()

    library = fresh / "workflow/scripts/mvc"

    def edit():
        append(library / "banks/mixing.py", "\n# a comment\n")
        append(library / "embeddings.py", "\nADDED = 1\n")
        overlay.write_text("# words\nunet: {steps: 5}\nbanks: {coarse: 1}\n", encoding="utf-8")

    said = edit_meanwhile(fresh, "captions", edit, *apart)
    assert "rule images:" not in said, "made before the edit, and kept"
    assert f"code of stage embeddings was edited after this run had started: {KEPT}" in said
    assert not (fresh / "results/photos/embeddings.safetensors").exists()

    assert {"embeddings", "banks"} <= set(planned(fresh, *GIVEN, "--", BANK))


def test_a_stage_whose_code_was_edited_is_refused_on_this_machine_too(fresh):
    module = fresh / "workflow/scripts/mvc/captions/generation.py"
    text = module.read_text(encoding="utf-8")

    def edit():
        append(fresh / "workflow/scripts/mvc/core/pixels.py", "\n# a comment\n")
        append(module, "\nADDED = 1\n")

    said = edit_meanwhile(fresh, "images", edit)
    assert f"code of stage captions was edited after this run had started: {KEPT}" in said
    assert not (fresh / "results/photos/captions.parquet").exists()
    module.write_text(text, encoding="utf-8")
    assert planned(fresh, BANK) == ["banks", "captions", "embeddings"]
