"""Shapes are checked at run time in tests; a tiny project is built once for those that need it."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import shutil
from pathlib import Path

import pytest
import yaml
from jaxtyping import install_import_hook
from project_tree import CLASSES, PARTS, REPO, tiny_config

hook = install_import_hook("mvc", "beartype.beartype")


def pytest_collection_modifyitems(items) -> None:
    """Mark all tests of tests/workflow and tests/slurm, so that markers alone select a tier."""
    for item in items:
        if item.path.relative_to(REPO / "tests").parts[0] in ("workflow", "slurm"):
            item.add_marker("workflow")


@pytest.fixture(scope="session")
def project(tmp_path_factory) -> Path:
    """A copy of the project with tiny data, tiny models and a tiny configuration; nothing built."""
    import raw_data
    import tiny

    root = tmp_path_factory.mktemp("project")
    for part in PARTS:
        copy = shutil.copytree if (REPO / part).is_dir() else shutil.copy2
        copy(REPO / part, root / part)
    raw_data.folder(root / "photos", {name: 14 for name in CLASSES})
    (root / "models").mkdir()
    tiny.stable_diffusion(root / "models/stable-diffusion", text=128)
    text = yaml.safe_dump(tiny_config(root), sort_keys=False, allow_unicode=True)
    (root / "config/config.yaml").write_text(text, encoding="utf-8")
    return root


@pytest.fixture(scope="session")
def built(project) -> Path:
    """The tiny project with every target made."""
    from workflow_run import snakemake

    snakemake(project, "all")
    return project
