"""The rules as text; one that inherits includes what it does not override of its base."""

import re

from project_tree import REPO

HEAD = re.compile(r"^(?:use )?rule (\w+)(?: as (\w+) with)?:$", re.M)
DIRECTIVE = re.compile(r"^    (\w+):", re.M)


def rules() -> dict[str, str]:
    """The text of every rule."""
    texts = {}
    for file in [REPO / "Snakefile", *sorted((REPO / "workflow/rules").glob("*.smk"))]:
        _, *parts = HEAD.split(file.read_text(encoding="utf-8"))
        for base, name, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
            texts[name or base] = inherit(texts[base], text) if name else text
    return texts


def inherit(base: str, text: str) -> str:
    """A rule's text with the directives of its base that it does not write itself."""
    _, *parts = DIRECTIVE.split(base)
    written = set(DIRECTIVE.findall(text))
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return text + "".join(f"    {key}:{body}" for key, body in pairs if key not in written)


RULES = rules()
LOCAL = {name for name, text in RULES.items() if "localrule: True" in text}
GPU = {name for name, text in RULES.items() if "gpu=" in text}
