"""Parquet files of images: whole or absent, and readable with a helpful error."""

import errno
import hashlib
import os

import pyarrow as pa
import pytest
from mvc.core import atomic, image_tables


def table(n=3):
    return image_tables.build_table(
        data=[bytes([i]) * 9 for i in range(n)],
        labels=list(range(n)),
        class_names=[f"class {i}" for i in range(n)],
        image_ids=[f"made/{i}" for i in range(n)],
        suffix=".png",
        extra=pa.array([0.5] * n, pa.float32()),
    )


def test_round_trip(tmp_path):
    image_tables.write(table(), tmp_path / "a" / "x.parquet")
    back = image_tables.read(tmp_path / "a" / "x.parquet")
    assert back.to_pylist() == table().to_pylist()
    row = back.to_pylist()[1]
    assert row["sha256"] == hashlib.sha256(row["image"]["bytes"]).hexdigest()
    assert row["image"]["path"] == "made/1.png"
    assert image_tables.get_bytes(back) == [bytes([i]) * 9 for i in range(3)]


def test_several_files_keep_their_order(tmp_path):
    paths = [tmp_path / "b.parquet", tmp_path / "a.parquet"]
    for i, path in enumerate(paths):
        image_tables.write(table().slice(i, 1), path)
    assert image_tables.read(paths)["image_id"].to_pylist() == ["made/0", "made/1"]


def test_a_failed_write_leaves_nothing(tmp_path):
    target = tmp_path / "x"
    with pytest.raises(RuntimeError), atomic.atomic(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_keeps_the_old_file(tmp_path):
    target = tmp_path / "x"
    target.write_text("old")
    with pytest.raises(RuntimeError), atomic.atomic(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"


def test_what_a_killed_job_left_goes_with_the_next_write_of_the_file(tmp_path):
    """SIGKILL lets no one tidy up; what other files have begun, `x.csv` of `x` too, stays."""
    for name in (".x.1.part", ".x.99999.part", ".x.csv.1.part", ".y.1.part"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "half").touch()
    with atomic.atomic(tmp_path / "x") as temporary:
        (temporary.parent / ".tmpA1b2").touch()  # of a library that itself writes aside
        temporary.write_text("whole")
    assert sorted(os.listdir(tmp_path)) == [".x.csv.1.part", ".y.1.part", "x"]


def test_a_writer_that_was_taken_for_dead_puts_nothing_in_place(tmp_path):
    target = tmp_path / "x"
    with pytest.raises(FileNotFoundError), atomic.atomic(target) as old:
        os.rename(old.parent, tmp_path / ".x.1.part")  # as if on another machine
        with atomic.atomic(target) as new:
            new.write_text("new")
    assert target.read_text() == "new" and os.listdir(tmp_path) == ["x"]


@pytest.mark.parametrize(
    "error, kind, words",
    [
        (OSError(errno.ENOSPC, "No"), OSError, r"no space left on the disk \(\d.* GB free\); free"),
        (OSError(errno.EDQUOT, "No"), OSError, "the disk quota is used up"),
        (OSError(errno.EROFS, "No"), OSError, "the file system is read-only; make it writable"),
        (OSError(errno.EACCES, "No"), PermissionError, "no permission to write there"),
        (RuntimeError("I/O error: full (os error 28)"), OSError, "no space left on the disk"),
    ],
)
def test_a_full_or_protected_disk_is_reported_with_the_fix(tmp_path, error, kind, words):
    words = rf"{tmp_path}/x could not be written: {words}.* run again: what is finished is kept"
    with pytest.raises(kind, match=words) as told, atomic.atomic(tmp_path / "x") as temporary:
        temporary.write_text("half")
        raise error
    assert told.value.errno == getattr(error, "errno", errno.ENOSPC)
    assert os.listdir(tmp_path) == []


def test_other_errors_pass_as_they_are(tmp_path):
    with pytest.raises(RuntimeError, match="^rate 2$"), atomic.atomic(tmp_path / "x"):
        raise RuntimeError("rate 2")


def test_a_folder_is_made_and_tried_and_nothing_stays_there(tmp_path):
    atomic.check_folder(tmp_path / "a/b")
    assert list((tmp_path / "a/b").iterdir()) == []
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError, match="broken link is in its place"):
        atomic.check_folder(tmp_path / "link")
    with pytest.raises(NotADirectoryError, match="a file is in the place of a folder"):
        atomic.check_folder(tmp_path / "file/b")


@pytest.mark.parametrize("keep", [0, 10, 200])
def test_a_file_cut_off_is_named_with_the_mend(tmp_path, keep):
    path = tmp_path / "x.parquet"
    image_tables.write(table(), path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match="x.parquet is cut off or not a Parquet file.*delete it"):
        image_tables.read(path)


def test_no_files_is_an_error():
    with pytest.raises(ValueError, match="no Parquet files"):
        image_tables.read([])
