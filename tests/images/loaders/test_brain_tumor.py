"""Brain tumours: MATLAB files in any packing, split by patient."""

import numpy as np
import pytest
import raw_published
from image_builds import build, decode, list_items
from mvc.images.loaders.brain_tumor import encode_slice, stretch_to_8_bits
from raw_data import FILES, put

TUMOUR = {**FILES, "test_fraction": 0.3, "validation_fraction": 0}


@pytest.mark.parametrize("form", ["folder", "zips", "nested"])
def test_slices_are_split_by_patient(tmp_path, form):
    built = build(tmp_path, "brain_tumor", raw_published.tumours(tmp_path, form), TUMOUR)
    assert built.classes == ("meningioma", "glioma", "pituitary tumor")
    assert built.report["patients"] == 8 and built.report["used"] == 26
    assert built.report["not_used"]["count"] == (2 if form == "nested" else 0)
    groups = {split: {r.group for r in rows} for split, rows in built.splits.items()}
    assert not groups["train"] & groups["test"] and len(groups["train"] | groups["test"]) == 8
    for split in ("train", "test"):
        counts = built.report["splits"][split]["per_class"]
        assert all(counts.values()), counts
    (item,) = [i for i in list_items(built) if i.image_id.rsplit("/")[-1] == "9.mat"]
    assert item.class_name == "glioma" and item.group == "94278"
    pixels = np.random.default_rng(9).integers(0, 3000, (6, 9))
    expected = np.round((pixels - pixels.min()) / np.ptp(pixels) * 255)
    assert np.array_equal(decode(item), expected)  # upright: not as HDF5 has it


def test_eight_bits_cover_the_whole_range():
    values = np.array([[-32768, 0, 32767], [0, 0, 0]], np.int16)
    assert stretch_to_8_bits(values).tolist() == [[0, 128, 255], [128, 128, 128]]
    assert stretch_to_8_bits(np.array([[0.1, 0.2]])).tolist() == [[0, 255]]
    assert not stretch_to_8_bits(np.full((2, 2), 7, np.int16)).any()


def test_file_that_is_no_slice_follows_the_key(tmp_path):
    import h5py

    path = raw_published.tumours(tmp_path, "folder")
    put(path / "77.mat", b"MATLAB 5.0 MAT-file")
    raw_published.slice_file(path / "78.mat", 4, "x", np.zeros((2, 3)))
    raw_published.slice_file(path / "79.mat", 3, "", np.zeros((2, 3)))
    with h5py.File(path / "80.mat", "w") as file:
        file["other"] = 1
    with pytest.raises(ValueError) as caught:
        build(tmp_path, "brain_tumor", path, TUMOUR)
    text = str(caught.value)
    assert "4 of 30 image files" in text and "77.mat: no slice in MATLAB 7.3 form" in text
    assert (
        "78.mat: cjdata/label = [4.0]; must be 1, 2 or 3" in text and "79.mat: cjdata/PID" in text
    )
    assert "80.mat: no slice" in text
    built = build(tmp_path, "brain_tumor", path, TUMOUR, unreadable="skip")
    assert built.report["used"] == 26 and built.report["skipped"]["count"] == 4
    raw_published.slice_file(path / "81.mat", 3, "x", np.zeros(3))
    with pytest.raises(ValueError, match=r"shape \(3,\) is not a picture"):
        encode_slice(path / "81.mat")


def test_no_slices(tmp_path):
    put(tmp_path / "x" / "README.txt", b"")
    with pytest.raises(ValueError, match="no .mat file"):
        build(tmp_path, "brain_tumor", tmp_path / "x", TUMOUR)
    with pytest.raises(FileNotFoundError, match="path = None: .*figshare"):
        build(tmp_path, "brain_tumor", None, TUMOUR)
