"""Digests of code, settings and files: what a result depends on, in a few characters."""

import ast
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from mvc.core.hashing import digest_bytes, digest_settings

# Modules of `mvc` that can change no result: what a user sees, and a script's log and threads.
UNDIGESTED = ("console", "job.py")


def digest_code(script: str | Path) -> str:
    """Hash a script and every `mvc` module it imports, directly or not, but those of `UNDIGESTED`.

    Comments, docstrings and layout do not count, so only an edit that can change a result does.
    """
    sources = list_code_files(script)
    return digest_bytes("\0".join(sources[path] for path in sorted(sources)).encode())


def list_code_files(script: str | Path) -> dict[Path, str]:
    """The code of a script and of every `mvc` module in its digest, by file."""
    root = Path(script).parent
    sources: dict[Path, str] = {}
    queue = [Path(script)]
    while queue:
        path = queue.pop()
        if path not in sources:
            names, sources[path] = _parse_source(path.read_text(encoding="utf-8"))
            queue += _list_files(names, root)
    return sources


def refuse_edited(script: str | Path, digest: str) -> None:
    """Fail if a stage's code is not what its run had read and records of the result.

    Raises:
        RuntimeError: names the stage, and says how to go on.
    """
    if digest_code(script) != digest:
        raise RuntimeError(
            f"The code of stage {Path(script).stem} was edited after this run had started: "
            "stop it, and start snakemake again; what is finished is kept."
        )


def recall_start(config: Mapping, record: str | None) -> dict[str, dict[str, str]]:
    """Digests of what a run had read when it started: `config` by its parts, `code` by script.

    What is recorded of a result is what the run had read, and a job reads all anew: one that finds
    another configuration is refused here, one that finds other code by `refuse_edited`.

    Args:
        record: these digests as JSON, which the run hands on to its jobs; without it, the run
            starts now, or its executor passes no environment on and nothing is checked.

    Raises:
        ValueError: names the parts of the configuration that differ, and says how to go on.
    """
    now = digest_config(config)
    started = (record and json.loads(record)) or {"config": now, "code": {}}
    was = started["config"]
    if edited := sorted(part for part in {*was, *now} if was.get(part) != now.get(part)):
        raise ValueError(
            f"The section {', '.join(edited)} of the configuration was edited after this run had "
            "started: stop it, and start snakemake again; what is finished is kept."
        )
    return started


def digest_config(config: Mapping) -> dict[str, str]:
    """Digests of a configuration by section and by data set; the order of data sets counts."""
    parts = {**config, "datasets": list(config["datasets"])}
    parts |= {f"datasets.{name}": own for name, own in config["datasets"].items()}
    return {part: digest_settings({part: value}) for part, value in parts.items()}


@cache
def _parse_source(text: str) -> tuple[frozenset[str], str]:
    """The modules of `mvc` that a source imports, and its code; most are asked for many times."""
    tree = ast.parse(text)
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    own = frozenset(name for name in names if name.split(".")[0] == "mvc")
    return own, ast.unparse(_strip_docstrings(tree))


def _list_files(names: frozenset[str], root: Path) -> list[Path]:
    """The files of modules, and of the packages that they are in."""
    stems = {
        root.joinpath(*parts[:depth])
        for parts in (name.split(".") for name in names)
        for depth in range(1, len(parts) + 1)
    }
    files = [f for stem in stems for f in (stem.with_suffix(".py"), stem / "__init__.py")]
    skipped = [root / "mvc" / name for name in UNDIGESTED]
    return [f for f in files if f.exists() and not {f, f.parent} & {*skipped}]


def _strip_docstrings(tree: ast.Module) -> ast.Module:
    holders = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, holders) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree
