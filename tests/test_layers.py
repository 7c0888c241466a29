"""The rules that keep the house in order: who may import whom, and how large a thing may be."""

import ast
import re
import sys
from graphlib import TopologicalSorter
from itertools import pairwise
from pathlib import Path

import pytest
from project_tree import REPO

SCRIPTS = REPO / "workflow/scripts"
ALL = sorted(SCRIPTS.rglob("*.py"))
MODULES = sorted((SCRIPTS / "mvc").rglob("*.py"))
SHARED = ("core", "config", "models", "training", "console")
RULES = re.findall(r'"workflow/rules/(\w+)\.smk"', (REPO / "Snakefile").read_text())[1:]
LIBRARY = "library"  # the face of `import mvc`, which calls stages and which no stage calls
STAGES = tuple(name for name in RULES if name not in SHARED)  # `models` is used by all of them


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
    assert packages - {"__init__", "job"} <= {*SHARED, *STAGES, LIBRARY}


@pytest.mark.parametrize("package", SHARED)
def test_a_shared_package_imports_no_stage(package):
    stages = {other: file for other, file in EDGES.get(package, {}).items() if other in STAGES}
    assert not stages


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_imports_only_earlier_stages(stage):
    later = STAGES[STAGES.index(stage) :]
    assert not {other: file for other, file in EDGES.get(stage, {}).items() if other in later}


def test_no_package_imports_the_library():
    assert [package for package, others in EDGES.items() if LIBRARY in others] == ["__init__"]


def test_packages_import_each_other_in_no_circle():
    order = list(TopologicalSorter(EDGES).static_order())  # raises CycleError, which names it
    assert set(SHARED) <= set(order)


def test_an_init_is_a_docstring_only():
    for file in MODULES:
        if file.name == "__init__.py" and file.parent != SCRIPTS / "mvc":
            body = ast.parse(file.read_text(encoding="utf-8")).body
            assert len(body) == 1 and isinstance(body[0], ast.Expr), file


def test_console_imports_nothing_of_mvc_but_itself():
    assert not EDGES.get("console")


def test_config_imports_what_is_cheap_to_parse_with():
    allowed = {*sys.stdlib_module_names, "yaml", "jsonschema"}
    for file in (SCRIPTS / "mvc/config").glob("*.py"):
        for name in list_imports(file):
            own = name.startswith(("mvc.config.", "mvc.core.hashing.", "mvc.core.counts."))
            assert own or name.split(".")[0] in allowed, f"{file.name} imports {name}"


MOST_LINES = {"module": 300, "script": 60, "function": 40}  # of a function its docstring aside
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@pytest.mark.parametrize("file", ALL, ids=lambda file: str(file.relative_to(SCRIPTS)))
def test_modules_scripts_and_functions_are_short(file):
    text = file.read_text(encoding="utf-8")
    kind = "module" if file in MODULES else "script"
    assert len(text.splitlines()) <= MOST_LINES[kind]
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, FUNCTIONS)]
    long = {node.name: count_lines(node) for node in functions}
    assert not {name: n for name, n in long.items() if n > MOST_LINES["function"]}


def count_lines(function: ast.FunctionDef) -> int:
    """Lines of a function from `def` on, without its docstring."""
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function, clean=False) is None:
        return lines
    docstring = function.body[0]
    return lines - (docstring.end_lineno - docstring.lineno + 1)


def test_a_line_holds_one_statement():
    for file in ALL:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            for block in ("body", "orelse", "finalbody"):
                statements = getattr(node, block, None)
                statements = statements if isinstance(statements, list) else []
                for first, second in pairwise(statements):
                    assert second.lineno > first.end_lineno, f"{file.name}:{second.lineno}"


def test_no_function_is_written_twice():
    """Equal code under one name or two, constants and names of variables included."""
    places = {}
    for file in ALL:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, FUNCTIONS) and count_lines(node) > 3:
                has_docstring = ast.get_docstring(node, clean=False) is not None
                code = "\n".join(map(ast.unparse, node.body[has_docstring:]))
                places.setdefault(code, []).append(f"{file.relative_to(SCRIPTS)}: {node.name}")
    assert not [names for code, names in places.items() if len(names) > 1]


# The first words of function names. A new verb is added here; a noun is renamed.
VERBS = """
add adjust advise align apply arrange assign augment average blend bound build cache calibrate
caption check choose collect compare compose compute convert count create crop cut decay decode
derive describe digest download draw drop embed encode enlarge enter equalize escape estimate
evaluate examine expand explain fetch filter find fit flatten format generate get group has hold
initialise insert inspect invert judge launch learn leave lengthen limit list load locate make mark
match materialise measure merge mix move name normalise open pack pair parse pick plan pool
posterize predict prefer prepare read recall reconstruct refuse remake remove repeat replace report
require reserve resize restore rotate round run sample save scan search seed select set settle shear
show shrink shuffle skip slice smooth solarize solve sort split stack start stretch sum summarise
tabulate take tokenize trace train translate try tune unpack unpickle warn warp widen write
"""
# Named for how they read: `with atomic(path)`, `with autocast(device)`,
# `for step in progress(steps)`; and `main`.
READ_AS_NOUNS = {"main", "atomic", "autocast", "progress", "stage_log"}


@pytest.mark.parametrize("file", ALL, ids=lambda file: str(file.relative_to(SCRIPTS)))
def test_a_public_function_begins_with_a_verb(file):
    body = ast.parse(file.read_text(encoding="utf-8")).body
    names = {node.name for node in body if isinstance(node, FUNCTIONS)}
    names = {name for name in names - READ_AS_NOUNS if not name.startswith("_")}
    assert not {name for name in names if name.split("_")[0] not in VERBS.split()}
