"""Archives of data sets (zip, tar, gzipped tar), unpacked once into a folder of the project's data.

Archives are not trusted, since they name where their files go. Only plain files and folders are
unpacked, under relative names that stay inside: no links, devices, absolute names or `..`, and
nothing that would fill the disk. One bad member refuses the whole archive, and nothing of it stays.
"""

import functools
import hashlib
import lzma
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from mvc.images import zip_names

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
MEMBERS = 2_000_000  # files and folders
RATIO = 100  # unpacked to packed size, at most; images hardly shrink
SMALL = 2**28  # bytes unpacked that are accepted whatever their ratio
OTHERS = {b"7z\xbc\xaf": "7z", b"Rar!": "RAR", b"\x28\xb5\x2f\xfd": "Zstandard"}  # by first bytes
PADDING = 2**24  # bytes read after the end of a tar
SPARE = 2**28  # bytes of the disk to leave free
DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,
    OSError,
)


class Member(NamedTuple):
    """One entry of an archive."""

    name: str
    size: int  # bytes unpacked
    kind: str  # "file", "folder" or what it is instead
    extract: Callable[[Path], object]  # into a folder


def unpack(path: Path, data: Path) -> Path:
    """Unpack an archive, once only; return its folder, or `path` where that is a folder.

    The folder is named after the archive and a digest of its contents: another archive of the same
    name gets another one.

    Args:
        path: a folder, or an archive of any of `SUFFIXES`.
        data: the project's data folder; what is unpacked goes to its `unpacked`.

    Raises:
        ValueError: not an archive, or damaged or refused; names the file and the member.
        OSError: `path` does not exist, or the disk cannot be written to.
    """
    if path.is_dir():
        return path
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:12]
    target = data / "unpacked" / f"{_strip_suffix(path)}-{digest}"
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".unpack-") as folder:
        inside = Path(folder) / "files"
        inside.mkdir()
        print(f"unpacking {path} to {target}")
        _extract_all(path, inside)
        for file in filter(Path.is_file, inside.rglob("*")):
            file.chmod(inside.stat().st_mode & 0o666)  # the archive's own modes are of no use here
        try:
            os.replace(inside, target)
        except OSError:
            if not target.is_dir():  # else another job was faster, with the same files
                raise
    return target


def _extract_all(path: Path, folder: Path) -> None:
    total, packed, names = 0, path.stat().st_size, set()
    free = shutil.disk_usage(folder).free - SPARE
    member = None
    try:
        with _open_archive(path) as archive:
            for member in _list_members(archive):
                total += member.size
                reason = _find_fault(member, names) or _find_excess(total, packed, free, len(names))
                if reason:
                    raise ValueError(
                        f"{path}: member {member.name!r} {reason}; nothing is unpacked"
                    )
                names.add(member.name.rstrip("/"))
                member.extract(folder)
    except DAMAGED as error:
        where = f" after member {member.name!r}" if member else ""
        raise ValueError(f"{path} cannot be unpacked{where}: {error}") from error


def _find_fault(member: Member, names: set[str]) -> str:
    """What is wrong with a member's name or kind; "" where nothing is."""
    if member.kind not in ("file", "folder"):
        return f"is {member.kind}; only files and folders are unpacked"
    pure = PurePosixPath(member.name)
    if pure.is_absolute() or "\0" in member.name or zip_names.has_drive(member.name):
        return "has an absolute name, or one of another system"
    if "\\" in member.name:
        return (
            "has a backslash in its name, which is a separator on Windows only; pack it again "
            "with '/', or unpack it by hand and name the folder"
        )
    if any("\udc80" <= character <= "\udcff" for character in member.name):
        return (
            "has a name that is not UTF-8; unpack it by hand, rename the files (as with convmv -t "
            "utf8) and name the folder"
        )
    if ".." in pure.parts:
        return "leads out of its folder"
    if member.kind == "file" and member.name in names:
        return "occurs twice"
    return ""


def _find_excess(total: int, packed: int, free: int, n: int) -> str:
    """Why this much is not unpacked; "" where it may be."""
    if n >= MEMBERS:
        return f"is one of over {MEMBERS:,}"
    if total > max(RATIO * packed, SMALL):
        return (
            f"makes {total:,} bytes from an archive of {packed:,}, over {RATIO} times as many: "
            "probably a zip bomb"
        )
    if total > free:
        return f"makes {total:,} bytes, and {max(free, 0):,} are free on the disk"
    return ""


def _open_archive(path: Path) -> AbstractContextManager:
    with open(path, "rb") as file:
        start = file.read(4)  # not its end: a tar may end with a zip file
    if start in OTHERS:
        raise ValueError(
            f"{path} is a {OTHERS[start]} archive, which is not read ({', '.join(SUFFIXES)} are); "
            "unpack it by hand and name the folder"
        )
    try:
        return zipfile.ZipFile(path) if start[:2] == b"PK" else tarfile.open(path, "r:*")
    except (zipfile.BadZipFile, tarfile.ReadError, EOFError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not an archive ({', '.join(SUFFIXES)}) or damaged") from error


def _list_members(archive: zipfile.ZipFile | tarfile.TarFile) -> Iterator[Member]:
    if isinstance(archive, zipfile.ZipFile):
        names = zip_names.read_names(archive.infolist(), path=archive.filename)
        for info, name in zip(archive.infolist(), names, strict=True):
            info.filename = name
            extract = functools.partial(archive.extract, info)
            yield Member(name, info.file_size, _name_zip_kind(info), extract)
        if n := zip_names.count_unmarked(archive.infolist()):
            print(f"{n} names that are not marked as UTF-8 are read as UTF-8, which they are")
    else:
        for info in archive:  # one after the other: a gzipped tar is read once
            extract = functools.partial(archive.extract, info, filter="data")
            yield Member(info.name, info.size, _name_tar_kind(info), extract)
        _check_end(archive)


def _check_end(archive: tarfile.TarFile) -> None:
    """Refuse a tar without an end mark: it is cut off between members or has a damaged header.

    What follows the end mark is read too, so that gzip compares its checksum.
    """
    archive.fileobj.seek(archive.offset)
    mark = archive.fileobj.read(tarfile.BLOCKSIZE)
    if len(mark) < tarfile.BLOCKSIZE or mark.strip(b"\0"):
        raise tarfile.ReadError("cut off or damaged: it has no end mark")
    archive.fileobj.read(PADDING)


def _name_zip_kind(info: zipfile.ZipInfo) -> str:
    mode = info.external_attr >> 16
    if info.flag_bits & 1:
        return "encrypted"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a link" if stat.S_ISLNK(mode) else "a device"
    return "folder" if info.is_dir() else "file"


def _name_tar_kind(info: tarfile.TarInfo) -> str:
    if info.isfile():
        return "file"
    if info.isdir():
        return "folder"
    return "a link" if info.issym() or info.islnk() else "a device"


def _strip_suffix(path: Path) -> str:
    suffix = next((s for s in sorted(SUFFIXES, key=len)[::-1] if path.name.lower().endswith(s)), "")
    return path.name[: len(path.name) - len(suffix)]
