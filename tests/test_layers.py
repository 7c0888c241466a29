"""The rules that keep the house in order: who may import whom, and how large a thing may be."""

import ast
import re
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from project_tree import REPO

SCRIPTS = REPO / "workflow/scripts"
MODULES = sorted((SCRIPTS / "mvc").rglob("*.py"))
SHARED = ("core", "config", "models", "training", "console")
STAGES = tuple(re.findall(r'"workflow/rules/(\w+)\.smk"', (REPO / "Snakefile").read_text()))[1:]


def name_package(module: str) -> str:
    """The package of a module: `banks` of `mvc.banks.mixing`."""
    return module.split(".")[1]


def list_imports(file: Path) -> set[str]:
    """The full names of all modules and objects that a file imports, wherever it does."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{'.' * node.level}{node.module}.{alias.name}" for alias in node.names}
    return names


def collect_edges() -> dict[str, dict[str, str]]:
    """For each package the packages that it imports, each with one file that does so."""
    edges = {}
    for file in MODULES:
        parts = file.relative_to(SCRIPTS).with_suffix("").parts
        package = parts[1]
        for name in list_imports(file):
            if name.startswith("mvc.") and name_package(name) != package:
                edges.setdefault(package, {})[name_package(name)] = "/".join(parts)
    return edges


EDGES = collect_edges()


def test_every_package_is_shared_or_a_stage():
    packages = {file.relative_to(SCRIPTS / "mvc").with_suffix("").parts[0] for file in MODULES}
    assert STAGES[0] == "images"
    assert packages - {"__init__", "job"} <= {*SHARED, *STAGES}


@pytest.mark.parametrize("package", SHARED)
def test_a_shared_package_imports_no_stage(package):
    stages = {other: file for other, file in EDGES.get(package, {}).items() if other in STAGES}
    assert not stages


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_imports_only_earlier_stages(stage):
    later = STAGES[STAGES.index(stage) :]
    assert not {other: file for other, file in EDGES.get(stage, {}).items() if other in later}


def test_packages_import_each_other_in_no_circle():
    order = list(TopologicalSorter(EDGES).static_order())  # raises CycleError, which names it
    assert set(SHARED) <= set(order)


def test_an_init_is_a_docstring_only():
    for file in MODULES:
        if file.name == "__init__.py":
            body = ast.parse(file.read_text(encoding="utf-8")).body
            assert len(body) == 1 and isinstance(body[0], ast.Expr), file


def test_console_imports_nothing_of_mvc_but_itself():
    assert not EDGES.get("console")


def test_config_imports_what_is_cheap_to_parse_with():
    allowed = {*sys.stdlib_module_names, "yaml", "jsonschema"}
    for file in (SCRIPTS / "mvc/config").glob("*.py"):
        for name in list_imports(file):
            own = name.startswith(("mvc.config.", "mvc.core.hashing."))
            assert own or name.split(".")[0] in allowed, f"{file.name} imports {name}"
