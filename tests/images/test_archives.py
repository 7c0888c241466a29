"""Archives are unpacked whole or not at all, and nothing that they say leads out of the folder."""

import gzip
import io
import shutil
import stat
import tarfile
import zipfile

import pytest
from mvc.images import archives, folders
from raw_data import put, tar_of, zip_of

FILES = {"a/one.txt": b"1", "b/two.txt": b"2" * 700}


def link(name, target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def entry(name, data=b""):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    return info


def evil_tar(path, *infos):
    """A gzipped tar of a good file, then of headers without contents."""
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(entry("good.txt", b"good"), io.BytesIO(b"good"))
        for info in infos:
            archive.addfile(info)
    return path


def evil_zip(path, name, mode=0, data=b"x"):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("good.txt", "good")
        info = zipfile.ZipInfo(name)
        info.filename = name
        info.external_attr = mode << 16
        archive.writestr(info, data)
    return path


def nothing_left(tmp_path, path):
    """Only the archive and the empty folder for unpacked ones are there."""
    unpacked = tmp_path / "data" / "unpacked"
    return sorted(tmp_path.iterdir()) == [tmp_path / "data", path] and not list(unpacked.iterdir())


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz", "x.TGZ"])
def test_files_come_out_as_they_went_in_and_are_kept(tmp_path, name):
    write = zip_of if name.endswith("zip") else tar_of
    path = write(tmp_path / name, FILES)
    folder = archives.unpack(path, tmp_path / "data")
    found = {str(f.relative_to(folder)): f.read_bytes() for f in folders.list_files(folder)}
    assert found == FILES and folder.name.startswith("x-")
    put(folder / "mark", b"")
    assert archives.unpack(path, tmp_path / "data") == folder and (folder / "mark").exists()
    shutil.copy(path, tmp_path / f"again-{name}")
    other = archives.unpack(write(path, {"c": b"3"}), tmp_path / "data")
    assert other != folder and [f.name for f in other.iterdir()] == ["c"]


def test_folder_is_its_own(tmp_path):
    assert archives.unpack(tmp_path, tmp_path / "data") == tmp_path
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "info, reason",
    [
        (entry("../out.txt"), r"'../out.txt' leads out of its folder"),
        (entry("a/../../out.txt"), "leads out of its folder"),
        (entry("/tmp/out.txt"), r"'/tmp/out.txt' has an absolute name"),
        (entry("..\\out.txt"), "backslash"),
        (entry("good.txt"), "'good.txt' occurs twice"),
        (link("passwd", "/etc/passwd"), "'passwd' is a link"),
        (link("up", ".."), "is a link"),
        (link("hard", "good.txt", tarfile.LNKTYPE), "is a link"),
        (link("device", "", tarfile.CHRTYPE), "is a device"),
        (link("pipe", "", tarfile.FIFOTYPE), "is a device"),
    ],
)
def test_evil_tar_is_refused_by_member_and_leaves_nothing(tmp_path, info, reason):
    path = evil_tar(tmp_path / "x.tar.gz", info)
    with pytest.raises(ValueError, match=f"x.tar.gz: member .*{reason}"):
        archives.unpack(path, tmp_path / "data")
    assert nothing_left(tmp_path, path)


@pytest.mark.parametrize(
    "name, mode, reason",
    [
        ("../out.txt", 0, "leads out"),
        ("/tmp/out.txt", 0, "absolute name"),
        ("..\\out.txt", 0, "leads out"),
        ("C:\\out.txt", 0, "absolute name"),
        ("a/x\\b.txt", 0, "backslash"),
        ("link", stat.S_IFLNK | 0o777, "is a link"),
        ("device", stat.S_IFBLK | 0o600, "is a device"),
    ],
)
def test_evil_zip_is_refused_by_member_and_leaves_nothing(tmp_path, name, mode, reason):
    path = evil_zip(tmp_path / "x.zip", name, mode)
    with pytest.raises(ValueError, match=f"x.zip: member .*{reason}"):
        archives.unpack(path, tmp_path / "data")
    assert nothing_left(tmp_path, path)


def test_encrypted_zip_is_refused(tmp_path):
    path = zip_of(tmp_path / "x.zip", {"a": b"secret"})
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(mark) + offset] |= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="member 'a' is encrypted"):
        archives.unpack(path, tmp_path / "data")


def test_bombs_are_refused_before_they_go_off(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "SMALL", 10_000)
    zeros = {"a": bytes(9_000), "b": bytes(900_000)}
    for path in (zip_of(tmp_path / "x.zip", zeros), tar_of(tmp_path / "x.tgz", zeros)):
        with pytest.raises(ValueError, match="member 'b' makes 909,000 bytes .* zip bomb"):
            archives.unpack(path, tmp_path / "data")
    giant = entry("giant")
    giant.size = 10**15
    header = giant.tobuf(tarfile.GNU_FORMAT)
    path = put(tmp_path / "y.tar.gz", gzip.compress(header))
    with pytest.raises(ValueError, match="member 'giant' makes 1,000,000,000,000,000 bytes"):
        archives.unpack(path, tmp_path / "data")


def test_what_does_not_fit_on_the_disk_or_is_too_many_is_refused(tmp_path, monkeypatch):
    path = tar_of(tmp_path / "x.tar", {"a": b"1", "b": b"2"})
    with monkeypatch.context() as patch:
        patch.setattr(archives, "SPARE", 2**80)
        with pytest.raises(ValueError, match="makes 1 bytes, and 0 are free"):
            archives.unpack(path, tmp_path / "data")
    monkeypatch.setattr(archives, "MEMBERS", 1)
    with pytest.raises(ValueError, match="member 'b' is one of over 1"):
        archives.unpack(path, tmp_path / "data")


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6])
def test_archive_that_is_cut_off_is_refused_and_leaves_nothing(tmp_path, name, share):
    big = {f"{i}": bytes([i]) * 600 + bytes(range(256)) * 9 for i in range(9)}
    path = (zip_of if name.endswith("zip") else tar_of)(tmp_path / name, big)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ValueError, match=f"{name} (is not an archive|cannot be unpacked)"):
        archives.unpack(path, tmp_path / "data")
    assert nothing_left(tmp_path, path)


def test_tar_cut_between_members_or_damaged_in_a_header_is_refused(tmp_path):
    path = tar_of(tmp_path / "x.tar", {"a": bytes(512), "b": bytes(512)})
    data = path.read_bytes()
    path.write_bytes(data[:1024])
    with pytest.raises(ValueError, match="no end mark"):
        archives.unpack(path, tmp_path / "data")
    path.write_bytes(data[:1024] + b"?" + data[1025:])
    with pytest.raises(ValueError, match="no end mark"):
        archives.unpack(path, tmp_path / "data")


def test_wrong_checksum_is_refused(tmp_path):
    path = tar_of(tmp_path / "x.tar.gz", FILES)
    data = bytearray(path.read_bytes())
    data[-6] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="cannot be unpacked.*CRC"):
        archives.unpack(path, tmp_path / "data")


def test_tar_that_ends_with_a_zip_is_a_tar(tmp_path):
    inside = zip_of(tmp_path / "inside.zip", {"x": b"y"}).read_bytes()
    path = tar_of(tmp_path / "x.tar", {"first": b"1", "inside.zip": inside})
    folder = archives.unpack(path, tmp_path / "data")
    assert sorted(f.name for f in folder.iterdir()) == ["first", "inside.zip"]


def test_no_archive(tmp_path):
    path = put(tmp_path / "x.zip", b"these are only words" * 99)
    with pytest.raises(ValueError, match="x.zip is not an archive"):
        archives.unpack(path, tmp_path / "data")


def test_folders_around_the_data_are_entered(tmp_path):
    put(tmp_path / "x" / "top" / "a" / "1.png", b"")
    put(tmp_path / "x" / "top" / "b" / "1.png", b"")
    put(tmp_path / "x" / "__MACOSX" / "._top", b"")
    tree = folders.read_tree(tmp_path / "x")
    assert folders.skip_wrappers(tree).path == tmp_path / "x" / "top"
    assert folders.find_holder(tmp_path, "a", "b") == tmp_path / "x" / "top"
    assert folders.find_holder(tmp_path, "a", "c") is None
    assert folders.find_holder(tmp_path, "1.png", depth=2) is None


def zip_with_names(path, names, extra=None):
    """A zip of members with these bytes as names, whose encoding it does not state."""
    marks = {bytes([65 + i]) * len(name): name for i, name in enumerate(names)}
    with zipfile.ZipFile(path, "w") as archive:
        for mark in marks:
            info = zipfile.ZipInfo(mark.decode())
            info.extra = extra or b""
            archive.writestr(info, b"x")
    data = path.read_bytes()
    for mark, name in marks.items():
        data = data.replace(mark, name)
    return put(path, data)


def list_unpacked(tmp_path, path):
    folder = archives.unpack(path, tmp_path / "data")
    return sorted(str(file.relative_to(folder)) for file in folders.list_files(folder))


def test_utf8_names_without_the_flag_are_read_as_utf8(tmp_path, capsys):
    path = zip_with_names(
        tmp_path / "x.zip", [f"{c}/1.txt".encode() for c in ("Röntgen", "猫写真")]
    )
    assert list_unpacked(tmp_path, path) == ["Röntgen/1.txt", "猫写真/1.txt"]
    assert "2 names" in capsys.readouterr().out


def test_name_of_the_unicode_field_is_read(tmp_path):
    import struct
    import zlib

    name, meant = "表/一.txt".encode("shift_jis"), "表/一.txt".encode()
    field = struct.pack("<HHBI", 0x7075, 5 + len(meant), 1, zlib.crc32(name)) + meant
    assert list_unpacked(tmp_path, zip_with_names(tmp_path / "x.zip", [name], field)) == [
        "表/一.txt"
    ]


@pytest.mark.parametrize(
    ("text", "page"),
    [("猫/照片.txt", "gbk"), ("表/写真.txt", "shift_jis"), ("Röntgen/1.txt", "cp1252")],
)
def test_names_of_an_unstated_encoding_are_refused_with_readings(tmp_path, text, page):
    path = zip_with_names(tmp_path / "x.zip", [b"plain/1.txt", text.encode(page)])
    with pytest.raises(ValueError, match=rf"x.zip: .*{page}: {text}.*unzip -O"):
        archives.unpack(path, tmp_path / "data")
    assert nothing_left(tmp_path, path)


def test_backslashes_of_windows_are_separators(tmp_path):
    names = [b"train\\a\\1.txt", b"train\\b\\", b"test\\a\\1.txt"]
    path = zip_with_names(tmp_path / "x.zip", names)
    assert list_unpacked(tmp_path, path) == ["test/a/1.txt", "train/a/1.txt"]


def test_tar_with_names_that_are_not_utf8_is_refused(tmp_path):
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT, encoding="latin-1") as archive:
        archive.addfile(entry("Röntgen/1.txt"), io.BytesIO())
    with pytest.raises(ValueError, match="not UTF-8"):
        archives.unpack(path, tmp_path / "data")


@pytest.mark.parametrize(
    ("start", "name"), [(b"7z\xbc\xaf\x27\x1c", "7z"), (b"Rar!\x1a\x07", "RAR")]
)
def test_other_archives_are_refused_by_name(tmp_path, start, name):
    with pytest.raises(ValueError, match=f"is a {name} archive.*unpack it"):
        archives.unpack(put(tmp_path / "x.zip", start * 99), tmp_path / "data")
