"""Raw data that cannot be used is refused by name, with a remedy; usable data is counted."""

import json
import os
import struct
import zlib

import images as images_script
import numpy as np
import pytest
import raw_data
from image_builds import run_script
from mvc.core import image_tables
from mvc.core.pixels import load
from mvc.images.build import build_images, write_split
from PIL import Image
from raw_data import FASHION, FOLDER, picture, put


def build(path, cfg=FOLDER, **changes):
    return build_images({**cfg, "path": str(path), **changes}, name="mine", data=path / "data")


@pytest.fixture
def root(tmp_path):
    """Two classes of six good images each."""
    return raw_data.folder(tmp_path / "raw", {"a": 6, "b": 6})


def bomb() -> bytes:
    """A PNG of a few bytes whose header promises 100,000 x 100,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


BAD = {
    "zero-byte": (b"", "0 bytes"),
    "unreadable": (b"this is no image" * 9, "not an image"),
    "truncated": (picture(100, size=(40, 40))[:2000], "truncated or damaged"),
    "truncated-jpeg": (picture(100, suffix="JPEG", size=(90, 90))[:2000], "truncated or damaged"),
    "gigantic": (bomb(), "at most 64,000,000"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_file_is_refused_by_name_with_the_mend(root, kind):
    data, reason = BAD[kind]
    put(root / "a" / f"{kind}.png", data)
    with pytest.raises(ValueError) as caught:
        build(root)
    text = str(caught.value)
    assert "1 of 13 image files" in text and "datasets.mine.images.unreadable" in text
    assert f"a/{kind}.png: " in text and reason in text


@pytest.mark.parametrize("kind", BAD)
def test_bad_file_is_skipped_and_counted_on_request(root, kind):
    data, reason = BAD[kind]
    put(root / "a" / f"{kind}.png", data)
    report = build(root, unreadable="skip").report
    assert report["used"] == 12 and report["found"] == 13
    assert report["skipped"]["count"] == 1 and reason in report["skipped"]["first"][0]


def test_all_bad_files_are_counted_and_ten_are_named(root):
    for i in range(15):
        put(root / "a" / f"bad{i:02}.png", b"")
    with pytest.raises(ValueError) as caught:
        build(root)
    text = str(caught.value)
    assert "15 of 27" in text and "bad09" in text and "bad10" not in text and "5 more" in text


def test_broken_link_is_a_bad_file(root):
    (root / "a" / "gone.png").symlink_to(root / "nowhere.png")
    with pytest.raises(ValueError, match="a/gone.png: .*No such file"):
        build(root)


def test_special_files_are_used_counted_and_kept_byte_for_byte(tmp_path, root):
    exif = Image.Exif()
    exif[0x0112] = 6
    frames = [Image.new("RGB", (12, 10), colour) for colour in ("red", "blue")]
    frames[0].save(root / "a" / "animated.gif", save_all=True, append_images=frames[1:])
    Image.new("CMYK", (12, 10), (9, 99, 0, 0)).save(root / "a" / "cmyk.jpg")
    Image.fromarray(np.full((10, 12), 40_000, np.uint16)).save(root / "a" / "deep.png")
    Image.new("P", (12, 10), 3).save(root / "a" / "palette.png")
    Image.new("RGBA", (12, 10), (1, 2, 3, 4)).save(root / "a" / "alpha.png")
    put(root / "a" / "turned.jpg", picture(200, suffix="JPEG", exif=exif))
    put(root / "a" / "truly-a-png.jpg", picture(201))
    put(root / "a" / "one-pixel.png", picture(202, size=(1, 1)))
    outputs = run_script(tmp_path / "out", {**FOLDER, "path": str(root)})
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["converted"] == {
        "animated": 1,
        "cmyk": 1,
        "16-bit": 1,
        "palette": 2,  # the GIF too
        "alpha": 1,
        "exif": 1,
        "suffix": 1,
    }
    assert report["used"] == report["found"] == 20
    assert "1 image(s) have a side under 8 pixels" in report["warnings"]
    tables = [image_tables.read(outputs[split]) for split in images_script.SPLITS]
    rows = [row for table in tables for row in table.to_pylist()]
    assert all(r["image"]["bytes"] == (root / r["image_id"]).read_bytes() for r in rows)
    assert load([row["image"]["bytes"] for row in rows], size=16).shape == (20, 3, 16, 16)


def test_missing_folder_names_the_key(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"datasets.mine.path = .*absent: no such folder"):
        build(tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match=r"datasets.mine.path = None"):
        build_images(FOLDER, name="mine", data=tmp_path)
    with pytest.raises(FileNotFoundError, match=r"datasets.mine.path = .*absent"):
        build(tmp_path / "absent", FASHION)


def test_folder_without_images(tmp_path):
    put(tmp_path / "raw" / "a" / "notes.txt", b"none here")
    with pytest.raises(ValueError, match=r"datasets.mine.path = .*no image in a class folder"):
        build(tmp_path / "raw")


def test_single_class(tmp_path):
    with pytest.raises(ValueError, match=r"datasets.mine: 1 class\(es\) \['a'\]; at least 2"):
        build(raw_data.folder(tmp_path / "raw", {"a": 6}))


def test_train_without_test(tmp_path):
    root = raw_data.folder(tmp_path / "raw", {"train/a": 3, "train/b": 3})
    with pytest.raises(ValueError, match="'train' of class folders but none called 'test'"):
        build(root)


def test_class_in_test_that_is_not_in_train(tmp_path):
    counts = {"train/a": 3, "train/b": 3, "test/a": 3, "test/stranger": 1}
    with pytest.raises(ValueError, match=r"'stranger' has no training image \(it is in: test\)"):
        build(raw_data.folder(tmp_path / "raw", counts))


def test_class_whose_training_images_are_all_bad_or_copies(tmp_path):
    root = raw_data.folder(tmp_path / "raw", {"train/a": 3, "train/b": 3, "test/a": 3, "test/b": 1})
    for i in range(3):
        put(root / "train" / "b" / f"{i}.png", b"")
    with pytest.raises(ValueError, match="'b' has no training image"):
        build(root, unreadable="skip")
    for i in range(3):
        put(root / "train" / "b" / f"{i}.png", (root / "test/b/0.png").read_bytes())
    with pytest.raises(ValueError, match="'b' has no training image"):
        build(root)


def test_class_of_one_image_is_used_with_a_warning(tmp_path):
    root = raw_data.folder(tmp_path / "raw", {"a": 6, "lonely": 1})
    report = build(root).report
    assert report["splits"]["train"]["per_class"]["lonely"] == 1
    assert [w for w in report["warnings"] if "'lonely'" in w] == [
        "class 'lonely' has one training image: it is paired with itself",
        "class 'lonely' has no test image: its accuracy is not measured",
    ]


def test_empty_class_folder_is_reported(root):
    (root / "void").mkdir()
    built = build(root)
    assert built.classes == ("a", "b")
    assert "folder 'void' of all has no image" in built.report["warnings"]


def test_file_that_changes_under_the_stage_is_noticed(tmp_path, root):
    built = build(root)
    put(root / built.splits["train"][0].image_id, picture(300))
    with pytest.raises(ValueError, match="changed while the images stage was running"):
        write_split(built, "train", tmp_path / "train.parquet")
    assert not (tmp_path / "train.parquet").exists()


def test_shard_cut_off_in_the_middle_names_the_file_and_the_mend(tmp_path, root):
    built = build(root)
    write_split(built, "train", tmp_path / "train.parquet")
    os.truncate(tmp_path / "train.parquet", 500)
    with pytest.raises(ValueError, match="train.parquet is cut off.*delete it and run again"):
        image_tables.read(tmp_path / "train.parquet")
