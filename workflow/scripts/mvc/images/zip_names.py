"""Names of the members of a zip file, whose encoding only newer archives state.

A name is UTF-8 if the archive says so (a flag, or Info-ZIP's field of Unicode paths), or if the
bytes of all such names are UTF-8. Otherwise it could be any code page, and the archive is refused.
Standard library only.
"""

import re
import struct
import zipfile
from collections.abc import Sequence

UTF8_FLAG = 0x800
UNICODE_PATH = 0x7075  # Info-ZIP's extra field: version, checksum, name in UTF-8
CODEPAGES = ("gbk", "shift_jis", "euc_kr", "cp1251", "cp1252", "cp437")


def read_names(members: Sequence[zipfile.ZipInfo], *, path: str) -> list[str]:
    """Read the names of all members as they were meant, with `/` between folders.

    Backslashes are separators where they are in names without `/` only, as Windows has packed
    them.

    Raises:
        ValueError: a name is in an encoding that is not stated; names it and the fix.
    """
    names = [_decode_name(member, path) for member in members]
    # a folder's own name may end with a slash that the reader or packer adds
    if any("/" in name.rstrip("/") for name in names):
        return names
    return [name.replace("\\", "/") for name in names]


def count_unmarked(members: Sequence[zipfile.ZipInfo]) -> int:
    """Count the names that are read as UTF-8 although the archive does not say so."""
    return sum(
        not member.flag_bits & UTF8_FLAG
        and not member.orig_filename.isascii()
        and not _find_unicode_path(member)
        for member in members
    )


def has_drive(name: str) -> bool:
    """Say whether a name begins with a drive of Windows."""
    return bool(re.match(r"[A-Za-z]:", name))


def _decode_name(member: zipfile.ZipInfo, path: str) -> str:
    name = member.orig_filename
    if member.flag_bits & UTF8_FLAG or name.isascii():
        return name
    if stated := _find_unicode_path(member):
        return stated
    data = name.encode("cp437")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        readings = ", ".join(f"{page}: {text}" for page in CODEPAGES if (text := _read(data, page)))
        raise ValueError(
            f"{path}: the name of member {name!r} is in an encoding that the archive does not "
            f"state ({readings}); unpack it by hand with the right one, as with unzip -O gbk, and "
            "name the folder, or pack it again with names in UTF-8"
        ) from None


def _find_unicode_path(member: zipfile.ZipInfo) -> str:
    """Find the name in Info-ZIP's extra field; "" without one."""
    extra = member.extra
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        if kind == UNICODE_PATH:
            return extra[9 : 4 + size].decode("utf-8", "replace")
        extra = extra[4 + size :]
    return ""


def _read(data: bytes, codepage: str) -> str:
    try:
        return data.decode(codepage)
    except UnicodeDecodeError:
        return ""
