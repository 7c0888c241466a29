"""Write the comments of the configuration from the schemas' descriptions: `make comments`.

A key is described once, in its schema, where editors find it, too. Comments above keys that the
schema does not describe (single data sets, arms) stay as they are.
"""

import re
import textwrap
from collections.abc import Mapping
from pathlib import Path

import yaml

SCHEMAS = Path(__file__).parent
CONFIGS = Path(__file__).parents[2] / "config"
KEY = re.compile(r"( *)([\w.+-]+):")
WIDTH = 100


def collect_descriptions(
    schema: Mapping, part: Mapping | None = None, path: tuple[str, ...] = ()
) -> dict[tuple[str, ...], str]:
    """Descriptions of the schema's keys by their path, from `part` on (default: all)."""
    part = schema if part is None else part
    found = {}
    if "$ref" in part:
        found |= collect_descriptions(schema, schema["$defs"][part["$ref"].split("/")[-1]], path)
    if path and "description" in part:
        found[path] = part["description"]
    for key, below in part.get("properties", {}).items():
        found |= collect_descriptions(schema, below, (*path, key))
    return found


def write_comments(text: str, descriptions: Mapping[tuple[str, ...], str]) -> str:
    """A configuration's text with the description of each key as the comment above it."""
    lines, above = [], []
    path: list[tuple[int, str]] = []
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            above.append(line)
            continue
        if key := KEY.match(line):
            indent = len(key[1])
            path = [step for step in path if step[0] < indent] + [(indent, key[2])]
            description = descriptions.get(tuple(name for _, name in path))
            above = _comment(description, key[1]) if description else above
        lines += [*above, line]
        above = []
    return "\n".join([*lines, *above]) + "\n"


def _comment(description: str, indent: str) -> list[str]:
    """A description as comment lines; one of several lines keeps them."""
    lines = description.split("\n")
    if len(lines) == 1:
        lines = textwrap.wrap(description, WIDTH - len(indent) - 2, break_on_hyphens=False)
    return [f"{indent}# {line}" for line in lines]


def main() -> None:
    for name in ("config", "miniature"):
        schema = yaml.safe_load((SCHEMAS / f"{name}.schema.yaml").read_text(encoding="utf-8"))
        path = CONFIGS / f"{name}.yaml"
        text = path.read_text(encoding="utf-8")
        path.write_text(write_comments(text, collect_descriptions(schema)), encoding="utf-8")


if __name__ == "__main__":
    main()
