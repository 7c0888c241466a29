"""Digests of files: by content, and of large files once."""

import hashlib
import os

import pytest
from mvc.core import hashing


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hashing, "LARGE", 4)
    path = tmp_path / "weights"
    path.write_bytes(b"12345")
    return path


def count_reads(monkeypatch):
    read = []
    digest = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda f, kind: read.append(f) or digest(f, kind))
    return read


def test_digest_files_reads_a_large_file_once(file, tmp_path, monkeypatch):
    expected = hashing.digest_files(file, file)
    (tmp_path / ".snakemake").mkdir()
    read = count_reads(monkeypatch)
    assert [hashing.digest_files(file, file) for _ in range(3)] == [expected] * 3
    assert len(read) == 1
    (tmp_path / "small").write_bytes(b"1")
    hashing.digest_files("small"), hashing.digest_files("small")
    assert len(read) == 3


def test_digest_files_reads_a_changed_file_again(file, tmp_path):
    (tmp_path / ".snakemake").mkdir()
    before, time = hashing.digest_files(file), file.stat().st_mtime_ns
    os.utime(file, ns=(time + 1, time + 1))
    assert hashing.digest_files(file) == before
    file.write_bytes(b"54321")
    os.utime(file, ns=(time + 2, time + 2))
    assert hashing.digest_files(file) != before
    for kept in (tmp_path / ".snakemake/digests").iterdir():
        kept.write_bytes(b"cut off")
    assert hashing.digest_files(file) == hashing.digest_files(file)


def test_digest_files_needs_no_folder_of_snakemakes(file, monkeypatch):
    read = count_reads(monkeypatch)
    assert hashing.digest_files(file) == hashing.digest_files(file)
    assert len(read) == 2
