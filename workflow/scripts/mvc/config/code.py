"""Digests of code and configuration; refusal of jobs that find them edited during their run."""

import ast
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from mvc.core.hashing import digest_bytes, digest_settings

# Modules of `mvc` that can change no result: the names that `import mvc` offers, what a user sees,
# a script's log and threads, and pictures of a fine-tuning that runs.
UNDIGESTED = ("__init__.py", "console", "job.py", "figures/watching.py")


def digest_code(script: str | Path) -> str:
    """Hash a script and every `mvc` module it imports, directly or not, except `UNDIGESTED`.

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
    """Refuse a stage whose code was edited after the run had started.

    Raises:
        RuntimeError: names the stage and the remedy.
    """
    if digest_code(script) != digest:
        raise RuntimeError(
            f"The code of stage {Path(script).stem} was edited after this run had started: "
            "stop it, and start snakemake again; what is finished is kept."
        )


def recall_start(config: Mapping, record: str | None) -> dict[str, dict[str, str]]:
    """Recall digests of what a run had read when it started: `config` by part, `code` by script.

    Snakemake records with a result what the run had read, but each job reads its files again. A job
    that finds another configuration is refused here, one that finds other code by `refuse_edited`.

    Args:
        record: these digests as JSON, which the run hands on to its jobs. None where the run starts
            now, or where its executor passes no environment on: then nothing is checked.

    Raises:
        ValueError: names the parts of the configuration that differ, and the remedy.
    """
    current = digest_config(config)
    started = (record and json.loads(record)) or {"config": current, "code": {}}
    before = started["config"]
    parts = {*before, *current}
    if edited := sorted(part for part in parts if before.get(part) != current.get(part)):
        raise ValueError(
            f"The section {', '.join(edited)} of the configuration was edited after this run had "
            "started: stop it, and start snakemake again; what is finished is kept."
        )
    return started


def digest_config(config: Mapping) -> dict[str, str]:
    """Digests of a configuration by section and by data set; the order of data sets counts."""
    parts = {**config, "datasets": list(config["datasets"])}
    parts |= {f"datasets.{name}": values for name, values in config["datasets"].items()}
    return {part: digest_settings({part: value}) for part, value in parts.items()}


@cache
def _parse_source(text: str) -> tuple[frozenset[str], str]:
    """The modules of `mvc` that a source imports, and its code. Cached: most recur many times."""
    tree = ast.parse(text)
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    imported = frozenset(name for name in names if name.split(".")[0] == "mvc")
    return imported, ast.unparse(_strip_docstrings(tree))


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
