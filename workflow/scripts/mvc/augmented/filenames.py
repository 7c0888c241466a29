"""File names from any text, in any script, that are valid on every file system.

Characters that a file system or a shell may trip over are written as %XX, their UTF-8 bytes in
hexadecimal. `urllib.parse.unquote` restores the text, except where a name was too long or two names
were alike.
"""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Sequence

# by Windows, the strictest; % itself; $, since readers such as `datasets` expand $HOME
FORBIDDEN = frozenset('%/\\:*?"<>|$')
RESERVED = frozenset(
    ["CON", "PRN", "AUX", "NUL", *(f"{port}{i}" for port in ("COM", "LPT") for i in range(1, 10))]
)
CATEGORIES = ("C", "Zl", "Zp")  # control, format and unassigned characters, line separators


def escape_name(name: str, *, limit: int = 100) -> str:
    """Escape a text to a file name of at most `limit` bytes; a longer one ends in a digest."""
    written = "".join(_escape(c) if _is_forbidden(c) else c for c in name) or "%"
    if written[0] in ".-~ " or written.split(".")[0].strip().upper() in RESERVED:
        written = _escape(written[0]) + written[1:]
    if written[-1] in ". ":
        written = written[:-1] + _escape(written[-1])
    if len(written.encode()) <= limit:
        return written
    kept = ""
    for character in name:
        part = _escape(character) if _is_forbidden(character) or character in ".-~ " else character
        if len((kept + part).encode()) > limit - 13:
            break
        kept += part
    return f"{kept}~{_hash(name)}"


def assign_names(names: Sequence[str], *, limit: int = 100) -> dict[str, str]:
    """Assign each text a file name of its own, distinct even where case does not count."""
    files = {name: escape_name(name, limit=limit) for name in names}
    uses = Counter(map(_fold, files.values()))
    return {
        name: file if uses[_fold(file)] == 1 else f"{file}~{_hash(name)}"
        for name, file in files.items()
    }


def _is_forbidden(character: str) -> bool:
    return character in FORBIDDEN or unicodedata.category(character).startswith(CATEGORIES)


def _escape(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
