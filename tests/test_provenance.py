"""Digests change with what can change a result, and with nothing else."""

import pytest
from mvc.provenance import code_digest, files_digest, settings_digest, stream_seed

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
    before = code_digest(folder / "stage.py")
    edit(folder / "stage.py", '    """Doc."""\n', '    """Other words."""\n\n')
    edit(folder / "stage.py", "# comment", "# another")
    edit(folder / "mvc/b.py", "x + 1", "(x   + 1)")
    assert code_digest(folder / "stage.py") == before


@pytest.mark.parametrize("module, counts", [("a", True), ("b", True), ("c", False)])
def test_modules_count_if_they_are_imported_directly_or_not(folder, module, counts):
    before = code_digest(folder / "stage.py")
    path = folder / f"mvc/{module}.py"
    path.write_text(path.read_text() + "\nADDED = 1\n")
    assert (code_digest(folder / "stage.py") != before) == counts


def test_settings_count_by_value_not_by_order():
    assert settings_digest({"a": 1, "b": [1, 2]}) == settings_digest({"b": [1, 2], "a": 1})
    assert settings_digest({"a": 1, "b": 2}) != settings_digest({"a": 2, "b": 1})


def test_files_count_by_content(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("x")
    two.write_text("x")
    assert files_digest(one) == files_digest(two) != files_digest(one, two)


def test_streams_are_apart():
    seeds = {stream_seed(r, s, i) for r in range(3) for s in ("unet", "banks") for i in range(99)}
    assert len(seeds) == 3 * 2 * 99 and all(0 <= seed < 2**63 for seed in seeds)
