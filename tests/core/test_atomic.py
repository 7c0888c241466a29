"""Files are whole, and of the mode that the user's umask gives."""

import io
import os
import tarfile

import pytest
import torch
from mvc.core.atomic import atomic, write_text
from mvc.images.archives import unpack
from safetensors.torch import save_file


@pytest.fixture(params=[0o002, 0o022, 0o027, 0o077], ids=oct)
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_atomic_honours_the_umask(tmp_path, umask):
    write_text("a", tmp_path / "new/a.txt")
    with atomic(tmp_path / "new/a.safetensors") as temporary:
        save_file({"a": torch.zeros(1)}, temporary)  # 0600 by itself
    for file in (tmp_path / "new").iterdir():
        assert file.stat().st_mode & 0o777 == 0o666 & ~umask
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o777 & ~umask


def test_unpack_honours_the_umask(tmp_path, umask):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        member = tarfile.TarInfo("cats/0.png")
        member.size, member.mode = 1, 0o600
        archive.addfile(member, io.BytesIO(b"x"))
    folder = unpack(tmp_path / "a.tar", tmp_path / "data")
    (file,) = (path for path in folder.rglob("*") if path.is_file())
    assert file.stat().st_mode & 0o777 == 0o666 & ~umask
    assert file.parent.stat().st_mode & 0o777 == 0o777 & ~umask
