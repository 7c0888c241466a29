"""Shapes are checked at run time in tests; a tiny project is built once for those that need it."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from jaxtyping import install_import_hook
from project_tree import REPO, make_project, read_states

hook = install_import_hook("mvc", "beartype.beartype")


def pytest_collection_modifyitems(config, items) -> None:
    """Mark all tests of tests/workflow and tests/slurm, so that markers alone select a tier.

    Of several workers none is left with a long module at the end: those come first.
    """
    for item in items:
        if item.path.relative_to(REPO / "tests").parts[0] in ("workflow", "slurm"):
            item.add_marker("workflow")
    if hasattr(config, "workerinput"):
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in slow)


def make_once(tmp_path_factory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that one of the workers of pytest-xdist makes, and all of them use."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    folder, done = root / name, root / f"{name}.done"
    with FileLock(root / f"{name}.lock"):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session")
def project(tmp_path_factory) -> Path:
    """A copy of the project with tiny data, models and configuration, nothing built: not to edit.

    Dry runs may be made in it.
    """
    return make_once(tmp_path_factory, "project", make_project)


@pytest.fixture(scope="session")
def built(tmp_path_factory, project) -> Iterator[Path]:
    """The tiny project with every target made: not to edit, but dry runs may be made in it."""
    from workflow_run import snakemake

    def build(folder: Path) -> None:
        shutil.copytree(project, folder, ignore=shutil.ignore_patterns(".snakemake"))
        snakemake(folder, "all")

    folder = make_once(tmp_path_factory, "built", build)
    before = read_states(folder)
    yield folder
    assert read_states(folder) == before, "a test has edited the project that all tests share"


@pytest.fixture
def copied(built, tmp_path) -> Path:
    """A copy of the built project, for one test to edit."""
    return Path(shutil.copytree(built, tmp_path / "project", symlinks=True))
