"""The environment is locked: every version that runs is written down, in one place."""

import ast
import importlib.util
import re
import sys
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPO = Path(__file__).parents[1]
LOCK = (REPO / "envs/requirements.lock").read_text(encoding="utf-8").splitlines()[1:]
# Imported only where a key asks for it, `unet.optimizer: adamw8bit`, or in a test that skips.
OPTIONAL = {"bitsandbytes", "tensorboard"}
# Folders whose modules are imported by their own names.
FOLDERS = ("workflow/scripts", "tests", "benchmarks")


def load_lock_script():
    spec = importlib.util.spec_from_file_location("lock", REPO / "envs/lock.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def imported_modules() -> set[str]:
    found = set()
    for folder in ("workflow", "tests", "benchmarks", "envs"):
        for file in (REPO / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    found |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    found.add(node.module)
    ours = {"mvc"} | {file.stem for folder in FOLDERS for file in (REPO / folder).glob("*.py")}
    return {name.partition(".")[0] for name in found} - sys.stdlib_module_names - ours


def test_lock_pins_every_line():
    assert len(LOCK) > 100
    for line in LOCK:
        assert re.fullmatch(r'[\w.-]+==[\w.!]+( ; platform_system == "Linux")?', line), line


@pytest.mark.skipif(sys.platform != "linux", reason="the lock is written on Linux")
def test_lock_is_what_is_installed():
    """What requirements.txt and checks.txt lead to, at the versions that run here, and no more."""
    assert LOCK == load_lock_script().lock_lines()


def test_requirements_are_pinned_and_locked():
    locked = {canonicalize_name(Requirement(line).name): line for line in LOCK}
    for requirement in load_lock_script().read_requirements():
        assert re.fullmatch(r"==[\w.]+", str(requirement.specifier)), requirement
        assert locked[canonicalize_name(requirement.name)] == str(requirement)
        assert version(requirement.name) in str(requirement.specifier)


def test_conda_installs_the_lock():
    environment = yaml.safe_load((REPO / "envs/mvc.yaml").read_text(encoding="utf-8"))
    assert environment["dependencies"][-1] == {"pip": LOCK}


def test_requirements_name_every_import():
    named = {canonicalize_name(r.name) for r in load_lock_script().read_requirements()}
    distributions = packages_distributions()
    for module in imported_modules() - OPTIONAL:
        owners = {canonicalize_name(name) for name in distributions.get(module, [module])}
        assert owners & named, (
            f"{module} is imported; requirements.txt and checks.txt name none of {owners}"
        )
