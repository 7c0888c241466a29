"""CSV manifests: images, classes, splits and groups as they say; faults with their row."""

import pytest
from image_builds import build, count_splits, list_items
from raw_data import FOLDER, manifest, put, rows


def test_manifest_names_files_and_classes(tmp_path):
    path = manifest(tmp_path, "\ufeffpath,label,source\n" + rows(more=lambda i: ',"a, b"'))
    built = build(tmp_path, "csv", path, FOLDER)
    assert built.classes == ("a dog", "cat") and built.report["source"] == str(path)
    assert count_splits(built) == {"train": 4, "validation": 4, "test": 4}
    for item in list_items(built):
        assert item.read() == (tmp_path / item.image_id).read_bytes()
        assert item.class_name == built.classes[int(item.image_id[9:-4]) % 2]


def test_manifest_splits_are_kept(tmp_path):
    split = ("train", "train", "train", "train", "test", "test")
    path = manifest(tmp_path, "path,label,split\n" + rows(more=lambda i: f",{split[i // 2]}"))
    built = build(tmp_path, "csv", path, FOLDER)
    assert [r.image_id for r in built.splits["test"]] == [f"pictures/{i}.png" for i in range(8, 12)]
    assert count_splits(built) == {"train": 6, "validation": 2, "test": 4}
    with_validation = path.read_text().replace("0.png,a dog,train", "0.png,a dog,validation")
    path.write_text(with_validation)
    built = build(tmp_path, "csv", path, FOLDER)
    assert [r.image_id for r in built.splits["validation"]] == ["pictures/0.png"]


def test_manifest_without_a_test_split_has_one_drawn(tmp_path):
    path = manifest(tmp_path, "path,label,split\n" + rows(more=lambda i: ",train"))
    assert count_splits(build(tmp_path, "csv", path, FOLDER))["test"] == 4


def test_manifest_groups_stay_together(tmp_path):
    path = manifest(tmp_path, "path,label,group\n" + rows(more=lambda i: f",{i // 4}"))
    built = build(tmp_path, "csv", path, FOLDER, validation_fraction=0)
    sides = {split: {r.group for r in built.splits[split]} for split in ("train", "test")}
    assert sides["train"] | sides["test"] == {"0", "1", "2"} and len(sides["test"]) == 1
    assert not sides["train"] & sides["test"]


def test_faults_of_a_manifest_have_their_row(tmp_path):
    text = (
        "path,label,split\npictures/0.png,cat,train\npictures/gone.png,cat,train\n"
        "pictures/1.png,,test\n,dog,test\npictures/2.png,dog,tset\npictures/0.png,dog,test\n"
    )
    with pytest.raises(ValueError) as caught:
        build(tmp_path, "csv", manifest(tmp_path, text), FOLDER)
    found = str(caught.value)
    assert "list.csv: 5 fault(s):" in found
    for line in (
        "row 3: no file pictures/gone.png",
        "row 4: no label",
        "row 5: no path",
        "row 6: split = 'tset'; must be one of train, training, validation, valid",
        "row 7: pictures/0.png is in row 2 already",
    ):
        assert f"\n  {line}" in found


@pytest.mark.parametrize(
    "text, reason",
    [
        ("file,class\na.png,b\n", "no column path or label; its columns are file, class"),
        ("", "its columns are none"),
        ("path,label\n", "no row"),
        ("path,label,Path\na.png,b,c\n", "column 'path' twice"),
        ("path,label\n0.png,Lad\xe9\n".encode("latin-1"), "row 2 has the byte 0xe9"),
        ("path,label\n0.png,a\n".encode("utf-16"), "UTF-16; save it as UTF-8"),
        ('path,label\n"a.png,b', "not a CSV table"),
    ],
)
def test_file_that_is_no_manifest_is_refused(tmp_path, text, reason):
    with pytest.raises(ValueError, match=f"list.csv.*{reason}"):
        build(tmp_path, "csv", manifest(tmp_path, text, n=0), FOLDER)


def test_damaged_image_of_a_manifest_follows_the_key(tmp_path):
    path = manifest(tmp_path, "path,label\n" + rows())
    put(tmp_path / "pictures" / "3.png", b"")
    with pytest.raises(ValueError, match="1 of 12 image files.*\n  pictures/3.png: empty file"):
        build(tmp_path, "csv", path, FOLDER)
    assert build(tmp_path, "csv", path, FOLDER, unreadable="skip").report["used"] == 11


def test_group_that_the_source_has_on_two_sides_is_told(tmp_path):
    split = ("train", "train", "train", "train", "test", "test")
    text = "path,label,split,group\n" + rows(more=lambda i: f",{split[i // 2]},{i % 10}")
    report = build(tmp_path, "csv", manifest(tmp_path, text), FOLDER).report
    assert any(w.startswith("2 group(s) ") and "'0', '1'" in w for w in report["warnings"])


def test_a_row_with_other_fields_than_the_header_is_refused(tmp_path):
    path = manifest(
        tmp_path, "path,label\n" + rows() + "pictures/0.png,crane, bird\npictures/1.png\n"
    )
    with pytest.raises(ValueError) as caught:
        build(tmp_path, "csv", path, FOLDER)
    for said in (
        "row 14: 3 fields",
        "crane | bird",
        "header of 2; quote values that hold a comma",
    ):
        assert said in str(caught.value)
    assert "row 15: 1 fields" in str(caught.value)


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters_and_spellings_of_the_header_are_read(tmp_path, delimiter):
    text = ("\ufeff Path ,LABEL\r\n" + rows()).replace("\n", "\r\n").replace(",", delimiter)
    built = build(tmp_path, "csv", manifest(tmp_path, text), FOLDER)
    assert built.classes == ("a dog", "cat") and built.report["used"] == 12


def test_split_takes_the_words_of_folders(tmp_path):
    words = ("Training", "TRAIN", "train", "train", "eval", "Testing")
    path = manifest(tmp_path, "path,label,split\n" + rows(more=lambda i: f",{words[i // 2]}"))
    assert count_splits(build(tmp_path, "csv", path, FOLDER))["test"] == 4


def test_validation_is_the_test_set_where_there_is_none(tmp_path):
    words = ("train", "train", "train", "train", "val", "dev")
    path = manifest(tmp_path, "path,label,split\n" + rows(more=lambda i: f",{words[i // 2]}"))
    built = build(tmp_path, "csv", path, FOLDER)
    assert [r.image_id for r in built.splits["test"]] == [f"pictures/{i}.png" for i in range(8, 12)]
    assert any("used as the test set" in warning for warning in built.report["warnings"])


def test_rows_without_a_split_beside_rows_with_one_are_refused(tmp_path):
    path = manifest(tmp_path, "path,label,split\n" + rows(more=lambda i: ",test" if i else ","))
    with pytest.raises(ValueError, match="1 of 12 rows have no split, row 2 the first"):
        build(tmp_path, "csv", path, FOLDER)
    path = manifest(tmp_path, "path,label,split\n" + rows(more=lambda i: ","))
    assert build(tmp_path, "csv", path, FOLDER).report["used"] == 12


def test_paths_of_windows_are_found_and_one_file_under_two_spellings_is_refused(tmp_path):
    windows = rows().replace("pictures/", "pictures\\")
    built = build(tmp_path, "csv", manifest(tmp_path, "path,label\n" + windows), FOLDER)
    assert {item.image_id for item in list_items(built)} == {f"pictures/{i}.png" for i in range(12)}
    again = "path,label\n" + rows() + "./pictures/0.png,cat\n"
    with pytest.raises(ValueError, match="row 14: ./pictures/0.png is in row 2 already"):
        build(tmp_path, "csv", manifest(tmp_path, again), FOLDER)


def test_a_missing_file_is_told_with_what_is_there(tmp_path):
    path = manifest(tmp_path, "path,label\n" + rows() + "pictures/0.PNG,cat\n")
    with pytest.raises(ValueError, match=r"no file pictures/0.PNG; there is 0.png"):
        build(tmp_path, "csv", path, FOLDER)


def test_a_quoted_value_after_a_blank_and_line_ends_of_old_macs_are_read(tmp_path):
    text = "path, label\n" + rows().replace(",cat", ', "cat, tabby"')
    built = build(tmp_path, "csv", manifest(tmp_path, text), FOLDER)
    assert built.classes == ("a dog", "cat, tabby")
    again = manifest(tmp_path, text.replace("\n", "\r"))
    assert build(tmp_path, "csv", again, FOLDER).classes == built.classes


@pytest.mark.parametrize(
    "name, words", [("set", ("train", "test")), ("Phase", ("Training", "Testing"))]
)
def test_a_split_under_another_name_is_never_passed_over(tmp_path, name, words):
    text = f"path,label,{name}\n" + rows(more=lambda i: f",{words[i > 7]}")
    with pytest.raises(ValueError, match=f"column '{name.lower()}' holds {words[1]}, {words[0]}"):
        build(tmp_path, "csv", manifest(tmp_path, text), FOLDER)


def test_columns_of_patients_and_names_that_are_numbers_are_warned_of(tmp_path):
    text = "path,label,patient_id\n" + rows(more=lambda i: f",{i // 2}")
    text = text.replace("cat", "3").replace("a dog", "4")
    warnings = build(tmp_path, "csv", manifest(tmp_path, text), FOLDER).report["warnings"]
    assert any("'patient_id' is not used" in warning for warning in warnings)
    assert any("2 class name(s) are numbers, '3' the first" in warning for warning in warnings)


@pytest.mark.parametrize(
    "text, said",
    [
        ("filename,class\na.png,b\n", "rename 'filename' to path or 'class' to label"),
        (b"PK\x03\x04\x14\0\xff", "a workbook of Excel"),
        (b"\x1f\x8b\x08\0", "gzipped"),
        (b"PAR1\xff", "Parquet"),
        ("path,label\n".encode("utf-16-le"), "as UTF-16 does"),
    ],
)
def test_what_the_file_is_instead_is_said(tmp_path, text, said):
    with pytest.raises(ValueError, match=f"list.csv.*{said}"):
        build(tmp_path, "csv", manifest(tmp_path, text, n=0), FOLDER)
