"""CLIP models that open_clip knows by name, read from its source: an import takes seconds.

Standard library only, since the workflow reads this while it is parsed. Where open_clip is not
installed, or its source has another form, none are known and nothing is refused.
"""

import ast
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import NamedTuple

from mvc.config.files import find_package

SUFFIX = "-quickgelu"


class Published(NamedTuple):
    """Weights of an architecture: their repository and file on the hub, and their activation."""

    hub: str  # owner/name/file; "" where they are elsewhere
    quick_gelu: bool


@cache
def list_published() -> Mapping[str, Mapping[str, Published]]:
    """The published weights of each architecture of open_clip, by tag."""
    file = (find_package("open_clip") or Path("nowhere")) / "pretrained.py"
    if not file.is_file():
        return {}
    groups: dict[str, dict[str, Published]] = {}
    table: dict[str, dict[str, Published]] = {}
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            if isinstance(node.value, ast.Call):
                groups[node.targets[0].id] = _read_group(node.value)
            elif isinstance(node.value, ast.Dict):
                for key, value in zip(node.value.keys, node.value.values, strict=True):
                    known = groups.get(value.id, {}) if isinstance(value, ast.Name) else {}
                    group = _read_group(value) if isinstance(value, ast.Call) else known
                    table[key.value] = group
    for name, group in list(table.items()):
        if quick := {tag: each for tag, each in group.items() if each.quick_gelu}:
            table[name + SUFFIX] = quick
    return table


def _read_group(call: ast.Call) -> dict[str, Published]:
    """The weights of `dict(tag=_pcfg(hf_hub=…, quick_gelu=…), …)`."""
    group = {}
    for tag in call.keywords:
        given = tag.value.keywords if isinstance(tag.value, ast.Call) else []
        facts = {key.arg: getattr(key.value, "value", None) for key in given}
        group[tag.arg] = Published(facts.get("hf_hub") or "", bool(facts.get("quick_gelu")))
    return group


def list_tag_faults(architecture: str, tag: str) -> Iterator[str]:
    """List why weights of an architecture cannot be fetched, or are others than it is built for."""
    if not list_published():
        return
    published = list_published().get(architecture, {})
    known = find_published(f"{architecture}/{tag}")
    plain = architecture.removesuffix(SUFFIX)
    if not known:
        close = get_close_matches(tag, published, n=3) or sorted(published)[:6]
        yield (
            f"open_clip has no weights {tag!r} of {architecture}; must be one of "
            f"{', '.join(close) or 'none: name a folder'}, or a file of safetensors"
        )
    elif not known.hub:
        yield f"the weights {tag} of {architecture} are not on the hub: name a folder with them"
    elif known.quick_gelu and architecture == plain:
        yield (
            f"these weights were trained with QuickGELU, {architecture} has GELU: all states would "
            f"be others; must be {plain}{SUFFIX}/{tag}"
        )


def find_published(name: str) -> Published | None:
    """The published weights of `architecture/tag`; None where open_clip knows none."""
    architecture, _, tag = name.partition("/")
    return list_published().get(architecture, {}).get(tag.lower().replace("-", "_"))
