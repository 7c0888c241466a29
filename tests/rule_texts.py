"""The rules by their own text."""

import re

from project_tree import REPO


def rules() -> dict[str, str]:
    """The text of every rule."""
    found = {}
    for file in [REPO / "Snakefile", *(REPO / "workflow/rules").glob("*.smk")]:
        parts = re.split(r"^rule (\w+):$", file.read_text(encoding="utf-8"), flags=re.M)
        found |= dict(zip(parts[1::2], parts[2::2], strict=True))
    return found


RULES = rules()
LOCAL = {name for name, text in RULES.items() if "localrule: True" in text}
GPU = {name for name, text in RULES.items() if "gpu=" in text}
