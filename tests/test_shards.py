"""Parquet files of images: whole or absent, and readable with a helpful error."""

import hashlib

import pyarrow as pa
import pytest
from mvc import shards


def table(n=3):
    return shards.image_table(
        data=[bytes([i]) * 9 for i in range(n)],
        labels=list(range(n)),
        class_names=[f"class {i}" for i in range(n)],
        image_ids=[f"made/{i}" for i in range(n)],
        suffix=".png",
        extra=pa.array([0.5] * n, pa.float32()),
    )


def test_round_trip(tmp_path):
    shards.write(table(), tmp_path / "a" / "x.parquet")
    back = shards.read(tmp_path / "a" / "x.parquet")
    assert back.to_pylist() == table().to_pylist()
    row = back.to_pylist()[1]
    assert row["sha256"] == hashlib.sha256(row["image"]["bytes"]).hexdigest()
    assert row["image"]["path"] == "made/1.png"
    assert shards.image_bytes(back) == [bytes([i]) * 9 for i in range(3)]


def test_several_files_keep_their_order(tmp_path):
    paths = [tmp_path / "b.parquet", tmp_path / "a.parquet"]
    for i, path in enumerate(paths):
        shards.write(table().slice(i, 1), path)
    assert shards.read(paths)["image_id"].to_pylist() == ["made/0", "made/1"]


def test_a_failed_write_leaves_nothing(tmp_path):
    target = tmp_path / "x"
    with pytest.raises(RuntimeError), shards.atomic(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_keeps_the_old_file(tmp_path):
    target = tmp_path / "x"
    target.write_text("old")
    with pytest.raises(RuntimeError), shards.atomic(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"


@pytest.mark.parametrize("keep", [0, 10, 200])
def test_a_file_cut_off_is_named_with_the_mend(tmp_path, keep):
    path = tmp_path / "x.parquet"
    shards.write(table(), path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match="x.parquet is cut off or not a Parquet file.*delete it"):
        shards.read(path)


def test_no_files_is_an_error():
    with pytest.raises(ValueError, match="no Parquet files"):
        shards.read([])
