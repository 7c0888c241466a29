"""Names of classes that may be one class, or that were read in a wrong encoding.

Standard library only.
"""

import re
import unicodedata
from collections.abc import Mapping

CODEPAGES = ("cp437", "cp1252", "latin-1")  # as which UTF-8 names are read by mistake


def warn_of_names(counts: Mapping[str, int]) -> list[str]:
    """Warn of classes whose names hardly differ, and of names that look garbled.

    Args:
        counts: number of images by class.
    """
    alike: dict[str, list[str]] = {}
    for name in counts:
        alike.setdefault(_reduce_name(name), []).append(name)
    warnings = [
        f"classes {' and '.join(f'{name!r} ({counts[name]} images)' for name in names)} differ "
        "only in case, blanks, hyphens or the form of characters, and are used as different "
        "classes; give them one name if they are one class"
        for names in alike.values()
        if len(names) > 1
    ]
    for name in counts:
        if meant := _recover(name):
            warnings.append(
                f"class {name!r} looks like {meant!r} read in a wrong encoding; its name goes into "
                "captions: rename it if so"
            )
        elif name != name.strip():
            warnings.append(f"class {name!r} begins or ends with a blank")
    return warnings


def _reduce_name(name: str) -> str:
    """Reduce a name to letters and digits in one case and width, with single blanks."""
    shown = "".join(c for c in name if unicodedata.category(c) != "Cf")  # invisible characters
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", shown).casefold())
    return re.sub(r"[\s_\-\u2010-\u2015]+", " ", plain).strip()


def _recover(name: str) -> str:
    """Recover a name of UTF-8 bytes that were read in another encoding; "" if it is not one."""
    for codepage in () if name.isascii() else CODEPAGES:
        try:
            return name.encode(codepage).decode("utf-8")
        except UnicodeError:
            continue
    return ""
