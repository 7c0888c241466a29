"""Digests change with what can change a result, and with nothing else."""

import re
import shutil
from modulefinder import ModuleFinder

import pytest
from mvc.config.code import digest_code, list_code_files, refuse_edited
from mvc.core.hashing import digest_files, digest_settings
from mvc.core.seeds import derive_seed
from project_tree import REPO

SCRIPTS = REPO / "workflow/scripts"

SCRIPT = '''"""Doc."""
from mvc.a import f

def main():
    """Doc."""
    return f(1)  # comment
'''
MODULES = {
    "a": "from mvc import b\n\ndef f(x):\n    return b.g(x)\n",
    "b": "import torch\n\ndef g(x):\n    return x + 1\n",
    "c": "def h(x):\n    return x\n",
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mvc").mkdir()
    (tmp_path / "mvc/__init__.py").write_text("")
    (tmp_path / "stage.py").write_text(SCRIPT)
    for name, text in MODULES.items():
        (tmp_path / f"mvc/{name}.py").write_text(text)
    return tmp_path


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_comments_docstrings_and_layout_do_not_count(folder):
    before = digest_code(folder / "stage.py")
    edit(folder / "stage.py", '    """Doc."""\n', '    """Other words."""\n\n')
    edit(folder / "stage.py", "# comment", "# another")
    edit(folder / "mvc/b.py", "x + 1", "(x   + 1)")
    assert digest_code(folder / "stage.py") == before


@pytest.mark.parametrize("module, counts", [("a", True), ("b", True), ("c", False)])
def test_modules_count_if_they_are_imported_directly_or_not(folder, module, counts):
    before = digest_code(folder / "stage.py")
    path = folder / f"mvc/{module}.py"
    path.write_text(path.read_text() + "\nADDED = 1\n")
    assert (digest_code(folder / "stage.py") != before) == counts


UNDIGESTED = ["mvc.console", "mvc.job", "mvc.figures.watching"]


def modules(files):
    """The `mvc` modules among files, by their dotted names."""
    names = (path.relative_to(SCRIPTS).with_suffix("").parts for path in files)
    return {".".join(name).removesuffix(".__init__") for name in names if name[0] == "mvc"}


@pytest.fixture(scope="module")
def digested():
    """The modules that count, by script."""
    scripts = sorted(SCRIPTS.glob("*.py"))
    return {script.name: modules(list_code_files(script)) for script in scripts}


def test_the_modules_that_count_are_those_that_the_byte_code_imports(digested, tmp_path):
    """Imports inside functions are among them, too."""
    copy = shutil.copytree(SCRIPTS, tmp_path / "scripts")
    (copy / "mvc/__init__.py").write_text("")  # undigested: it imports what a user asks for
    for script, counted in digested.items():
        finder = ModuleFinder(path=[str(copy)], excludes=UNDIGESTED)
        finder.run_script(str(copy / script))
        found = {name for name in finder.modules if name.partition(".")[0] == "mvc"}
        assert counted == found - {"mvc"}, script


def test_no_module_is_imported_by_a_computed_name():
    """Neither the digests nor the byte code would show it."""
    for path in SCRIPTS.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "import_module" not in text and "__import__" not in text, path


def test_every_module_is_of_some_script_or_of_the_workflow(digested, tmp_path):
    """Of the rules' own imports, those of the library's face, and what these import in turn."""
    imports = re.findall(
        r"^from mvc[^(]*?import (?:\([^)]*\)|.*)$",
        (REPO / "workflow/rules/common.smk").read_text(encoding="utf-8"),
        re.M,
    )
    copy = shutil.copytree(SCRIPTS, tmp_path / "scripts")
    face = (SCRIPTS / "mvc/__init__.py").read_text(encoding="utf-8")
    (copy / "parse.py").write_text("\n".join([*imports, face]), encoding="utf-8")
    parsed = modules(
        SCRIPTS / path.relative_to(copy) for path in list_code_files(copy / "parse.py")
    )
    seen = parsed.union(*digested.values(), {"mvc", "mvc.core.instructions"}, UNDIGESTED[1:])
    every = modules(SCRIPTS.glob("mvc/**/*.py"))
    assert {name for name in every if not name.startswith("mvc.console")} == seen


def test_a_stage_whose_code_was_edited_is_refused(folder):
    digest = digest_code(folder / "stage.py")
    edit(folder / "mvc/c.py", "return x", "return -x")
    edit(folder / "mvc/b.py", "x + 1", "x + 1  # a comment")
    refuse_edited(folder / "stage.py", digest)
    edit(folder / "mvc/b.py", "x + 1", "x + 2")
    with pytest.raises(RuntimeError, match="stage stage was edited after this run had started"):
        refuse_edited(folder / "stage.py", digest)


def test_settings_count_by_value_not_by_order():
    assert digest_settings({"a": 1, "b": [1, 2]}) == digest_settings({"b": [1, 2], "a": 1})
    assert digest_settings({"a": 1, "b": 2}) != digest_settings({"a": 2, "b": 1})


def test_files_count_by_content(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("x")
    two.write_text("x")
    assert digest_files(one) == digest_files(two) != digest_files(one, two)


def test_streams_are_apart():
    seeds = {derive_seed(r, s, i) for r in range(3) for s in ("unet", "banks") for i in range(99)}
    assert len(seeds) == 3 * 2 * 99 and all(0 <= seed < 2**63 for seed in seeds)
