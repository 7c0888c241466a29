"""Digests of sources: names and contents count, times do not; contents are read once."""

import os
import shutil

import pytest
from mvc.images import sources
from mvc.images.sources import digest_source
from raw_data import folder, manifest, picture, put, rows, zip_of


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "records/sources.json"


def renew_times(root, time=1_700_000_000):
    for path in root.rglob("*"):
        os.utime(path, (time, time))


def test_digest_source_follows_names_and_contents(tmp_path, cache):
    root = folder(tmp_path / "raw", {"a": 2, "b": 2})
    digests = [digest_source("imagefolder", root, cache=cache)]
    put(root / "a" / "new.png", picture(50))
    digests.append(digest_source("imagefolder", root, cache=cache))
    put(root / "a" / "new.png", picture(51, size=(13, 10)))
    digests.append(digest_source("imagefolder", root, cache=cache))
    (root / "a" / "new.png").rename(root / "a" / "newer.png")
    digests.append(digest_source("imagefolder", root, cache=cache))
    assert len({*digests}) == 4 and "" not in digests
    (root / "a" / "newer.png").unlink()
    assert digest_source("imagefolder", root, cache=cache) == digests[0]


def test_digest_source_of_the_same_data_unpacked_again_is_the_same(tmp_path, cache):
    root = folder(tmp_path / "raw", {"a": 2, "b": 2})
    before = digest_source("imagefolder", root, cache=cache)
    renew_times(root)
    assert digest_source("imagefolder", root, cache=cache) == before
    shutil.rmtree(root)
    folder(root, {"a": 2, "b": 2})
    assert digest_source("imagefolder", root, cache=cache) == before


def test_digest_source_sees_other_contents_of_the_same_size(tmp_path, cache):
    file = tmp_path / "raw/a/1.png"
    put(file, b"one")
    before = digest_source("imagefolder", tmp_path / "raw", cache=cache)
    file.write_bytes(b"two")
    os.utime(file, (1_700_000_000, 1_700_000_000))
    assert digest_source("imagefolder", tmp_path / "raw", cache=cache) != before


def test_digest_source_reads_contents_once(tmp_path, cache, monkeypatch):
    root = folder(tmp_path / "raw", {"a": 2, "b": 2})
    before = digest_source("imagefolder", root, cache=cache)
    with monkeypatch.context() as patch:
        patch.setattr(sources, "digest_contents", lambda files: pytest.fail("read again"))
        assert digest_source("imagefolder", root, cache=cache) == before
    cache.write_text("no JSON")
    assert digest_source("imagefolder", root, cache=cache) == before
    cache.unlink()
    cache.mkdir()  # nothing can be kept there
    assert digest_source("imagefolder", root, cache=cache) == before


def test_digest_source_of_a_manifest_follows_the_files_that_it_names(tmp_path, cache):
    path = manifest(tmp_path, "path,label\n" + rows())
    before = digest_source("csv", path, cache=cache)
    put(tmp_path / "pictures" / "stranger.png", b"")
    assert digest_source("csv", path, cache=cache) == before != ""
    renew_times(tmp_path / "pictures")
    assert digest_source("csv", path, cache=cache) == before
    put(tmp_path / "pictures" / "3.png", picture(50, size=(9, 9)))
    assert digest_source("csv", path, cache=cache) != before
    path.write_text("no manifest")
    assert digest_source("csv", path, cache=cache) not in ("", before)


def test_digest_source_of_an_archive_and_of_nothing(tmp_path, cache):
    archive = zip_of(tmp_path / "x.zip", {"a": b"1"})
    first = digest_source("imagefolder", str(archive), cache=cache)
    zip_of(archive, {"a": b"1", "b": b"2"})
    assert digest_source("imagefolder", str(archive), cache=cache) not in ("", first)
    assert digest_source("csv", None, cache=cache) == ""
    assert digest_source("imagefolder", tmp_path / "absent", cache=cache) == ""
