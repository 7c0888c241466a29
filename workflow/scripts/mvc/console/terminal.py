"""Terminals that are not UTF-8: what they cannot print is replaced, by what reads the same."""

import codecs
import sys

PLAIN = {"±": "+/-", "×": "x", "→": "->", "…": "...", "–": "-", "—": "-", "−": "-", "≥": ">="}
PLAIN |= {"≤": "<=", "Δ": "delta", "“": '"', "”": '"', "’": "'", "·": "*", "√": "sqrt"}
PLAIN |= dict.fromkeys("─━╌╴╶╸╺", "-")


def replace_unprintable() -> None:
    """Let no character end a script that prints to the terminal."""
    codecs.register_error("readable", _replace)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="readable")


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    parts = (PLAIN.get(c) or c.encode("ascii", "backslashreplace").decode() for c in text)
    return "".join(parts), error.end
