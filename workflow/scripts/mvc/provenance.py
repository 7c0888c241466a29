"""Digests of code, settings and files: what a result depends on, in a few characters."""

import ast
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

LENGTH = 12  # hexadecimal digits kept; 48 bits


def code_digest(script: str | Path) -> str:
    """Hash a script and every `mvc` module it imports, directly or not.

    Comments, docstrings and layout do not count, so only an edit that can change a result does.
    """
    root = Path(script).parent
    sources: dict[Path, str] = {}
    queue = [Path(script)]
    while queue:
        path = queue.pop()
        if path in sources:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        queue += _imported_files(tree, root)
        sources[path] = ast.unparse(_without_docstrings(tree))
    return _hash("\0".join(sources[path] for path in sorted(sources)).encode())


def settings_digest(settings: Mapping) -> str:
    """Hash settings by value: the order of keys does not count."""
    return _hash(json.dumps(settings, sort_keys=True, ensure_ascii=False).encode())


def files_digest(*paths: str | Path) -> str:
    """Hash the contents of files in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:LENGTH]


def stream_seed(root: int, stage: str, index: int = 0) -> int:
    """A seed for one item of one stage, independent of every other item's.

    Args:
        root: the workflow's seed.
        stage: the stream's name.
        index: the item's global index; the same whatever the shard or batch it falls in.

    Returns:
        An integer in [0, 2**63).
    """
    blob = hashlib.sha256(f"{root}/{stage}/{index}".encode()).digest()
    return int.from_bytes(blob[:8], "big") >> 1


def _hash(blob: bytes) -> str:
    return hashlib.sha256(blob).hexdigest()[:LENGTH]


def _imported_files(tree: ast.Module, root: Path) -> list[Path]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    stems = (root / name.replace(".", "/") for name in names if name.split(".")[0] == "mvc")
    return [
        f for stem in stems for f in (stem.with_suffix(".py"), stem / "__init__.py") if f.exists()
    ]


def _without_docstrings(tree: ast.Module) -> ast.Module:
    holders = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, holders) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree
