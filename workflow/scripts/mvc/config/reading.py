"""What YAML files and the command line would lose silently: repeated keys, names read as values."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import yaml

KINDS = {"bool": "true or false", "null": "null", "int": "a number", "float": "a number"}
REMOVABLE = ("datasets", "classifiers.models", "classifiers.arms")  # entries that null takes out
KINDS |= {"timestamp": "a date"}


def list_key_faults(paths: Iterable[str | Path]) -> list[str]:
    """List keys that stand twice in one mapping, and names that YAML reads as something else.

    Args:
        paths: YAML or JSON files, of which Snakemake keeps the last of equal keys.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    lines = []
    for path in paths:
        text = Path(path).read_text(encoding="utf-8-sig")
        try:
            root = yaml.compose(text, Loader=loader)
        except yaml.YAMLError:  # JSON that is no YAML, or a file that Snakemake refuses
            continue
        lines += _walk(root, str(path), "", set())
    return lines


def _walk(node: yaml.Node | None, path: str, key: str, seen: set[int]) -> Iterator[str]:
    """The faults of a node and of all below it; an anchor's are listed once."""
    if node is None or isinstance(node, yaml.ScalarNode) or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for below in node.value:
            yield from _walk(below, path, key, seen)
        return
    places: dict[str, int] = {}
    for name, below in node.value:
        line = name.start_mark.line + 1
        full = f"{key}.{name.value}" if key else str(name.value)
        kind = name.tag.rpartition(":")[2]
        if kind in KINDS:
            yield (
                f"{full}: YAML reads this name as {KINDS[kind]} ({path}:{line}); quote it: "
                f'"{name.value}"'
            )
        elif isinstance(name, yaml.ScalarNode) and name.value in places:
            yield (
                f"{full}: stands twice, at {path}:{places[name.value]} and at {path}:{line}, and "
                "YAML would keep the last alone; join the two"
            )
        places.setdefault(str(name.value), line)
        yield from _walk(below, path, full, seen)


def list_null_faults(paths: Iterable[str | Path]) -> list[str]:
    """List names that a file takes out by null where no file has them, one per line."""
    files = [(path, _read_mapping(path)) for path in paths]
    lines = []
    for section in REMOVABLE:
        entries = [(path, _find_section(values, section)) for path, values in files]
        there = sorted(
            {name for _, each in entries for name, own in each.items() if own is not None}
        )
        lines += [
            f"{section}.{name}: null ({path}) takes out what is not there; there are "
            f"{', '.join(map(str, there)) or 'none'}"
            for path, each in entries
            for name, own in each.items()
            if own is None and name not in there
        ]
    return lines


def _read_mapping(path: str | Path) -> object:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(Path(path).read_text(encoding="utf-8-sig"), Loader=loader)
    except yaml.YAMLError:  # see `list_key_faults`
        return None


def _find_section(values: object, section: str) -> Mapping:
    for key in section.split("."):
        values = values.get(key) if isinstance(values, Mapping) else None
    return values if isinstance(values, Mapping) else {}


def list_option_faults(arguments: Sequence[str]) -> list[str]:
    """List options of the command line that stand twice: Snakemake reads the last alone."""
    lines = []
    for names in (("--configfile", "--configfiles"), ("--config", "-C")):
        groups = [
            _take_values(arguments, i) for i, a in enumerate(arguments) if _split(a)[0] in names
        ]
        if len(groups) > 1:
            (last, every) = (" ".join(groups[-1]), " ".join(v for group in groups for v in group))
            lines.append(
                f"{names[0]} stands {len(groups)} times: Snakemake reads only the last ({last}); "
                f"to have all of them read: {names[0]} {every} (a target follows after --)"
            )
    return lines


def _split(argument: str) -> tuple[str, str]:
    option, _, value = argument.partition("=")
    return option, value


def _take_values(arguments: Sequence[str], place: int) -> list[str]:
    """The values of the option at a place: after its `=`, or up to the next option."""
    if value := _split(arguments[place])[1]:
        return [value]
    values = []
    for argument in arguments[place + 1 :]:
        if argument.startswith("-"):
            break
        values.append(argument)
    return values
