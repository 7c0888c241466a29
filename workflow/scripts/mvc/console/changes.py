"""Which settings of a job changed since its files were made, from Snakemake's reason to run it."""

import ast
import json
import re
from collections.abc import Iterator, Mapping

CHANGED = "Params have changed since last execution"
NOTHING = "<nothing exclusive>"  # Snakemake's words for no params
# What may follow the params in a reason.
SOFTWARE = "; Software environment definition has changed since last execution"
ABSENT = object()
MOST_SHOWN = 2  # changed settings that are named
LONGEST = 40  # characters of a value that is shown


def explain_params(reason: str) -> str:
    """Say what changed: `scale 4.0 → 2.0, steps 10 → 20 and 3 more; code changed`.

    Rules have two params: settings, a dictionary, and the digest of the code. Where the settings
    cannot be compared, `settings changed`.
    """
    before, now = parse_params(reason.partition(CHANGED)[2])
    settings = [[each for each in params if isinstance(each, dict)] for params in (before, now)]
    kinds = ["code changed"] if any(isinstance(each, str) for each in now) else []
    if any(settings) or not kinds:
        one_each = [len(each) for each in settings] == [1, 1]
        changes = list(list_changes(settings[0][0], settings[1][0])) if one_each else []
        more = f" and {len(changes) - MOST_SHOWN} more" if len(changes) > MOST_SHOWN else ""
        kinds.insert(0, ", ".join(changes[:MOST_SHOWN]) + more or "settings changed")
    return "; ".join(kinds)


def parse_params(text: str) -> tuple[tuple, tuple]:
    """The params before and now, as Python's values; none where they cannot be read."""
    text = text.partition(" before: ")[2].strip().removesuffix(SOFTWARE)
    for middle in re.finditer(" now: ", text):
        try:
            return _read_values(text[: middle.start()]), _read_values(text[middle.end() :])
        except (SyntaxError, ValueError):  # these words of a setting, or a value of another type
            continue
    return (), ()


def list_changes(before: Mapping, now: Mapping, path: str = "") -> Iterator[str]:
    """Say of each setting that differs what it was and is; nested keys with their path."""
    for key in before | now:
        values = [settings.get(key, ABSENT) for settings in (before, now)]
        if all(isinstance(value, dict) for value in values):
            yield from list_changes(*values, f"{path}{key}.")
        elif repr(values[0]) != repr(values[1]):  # as Snakemake compares: 1 is not 1.0
            old, new = map(_format_value, values)
            short = max(len(old), len(new)) <= LONGEST
            yield f"{path}{key} {old} → {new}" if short else f"{path}{key} changed"


def _format_value(value: object) -> str:
    if value is ABSENT:
        return "(absent)"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=repr)


def _read_values(text: str) -> tuple:
    text = text.strip()
    return () if text == NOTHING else ast.literal_eval(f"({text},)")
