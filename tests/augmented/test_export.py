"""The augmented data set: it opens as promised, tells real from synthetic, leaks nothing."""

import filecmp
import hashlib
import io
import json
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import raw_data
from augmented_set import CLASSES, N_MADE, N_REAL, SETTINGS, make_folder, rows, tables
from mvc.augmented import collect, export, filenames
from mvc.core import image_tables
from PIL import Image


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("made"))


def test_image_folder_opens_it(folder):
    from torchvision.datasets import ImageFolder

    opened = ImageFolder(folder / "train")
    assert len(opened) == N_REAL + N_MADE
    classes = rows(folder / "classes.csv")
    assert [row["class_name"] for row in classes] == list(CLASSES)
    for row in classes:
        assert opened.class_to_idx[row["folder"]] == int(row["imagefolder_label"])
        assert opened.targets.count(int(row["imagefolder_label"])) == 7
        assert (row["real"], row["synthetic"]) == ("3", "4")
    assert len({row["folder"].casefold() for row in classes}) == 3
    by_file = {row["file"]: row for row in rows(folder / "provenance.csv")}
    for path, _ in opened.samples:
        row = by_file[Path(path).relative_to(folder).as_posix()]
        assert Path(path).name.startswith("synthetic-" if row["synthetic"] == "True" else "real-")


def test_datasets_opens_it_offline(folder, tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    opened = datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path))
    assert len(opened) == N_REAL + N_MADE
    assert isinstance(opened.features["image"], datasets.Image)
    assert opened.features["label"].names == list(CLASSES)
    assert opened[0]["image"].size == (12, 10) and opened[N_REAL]["image"].mode == "RGB"
    assert sum(opened["synthetic"]) == N_MADE
    real, made = opened[2], opened[N_REAL + 1]
    columns = ("source_image_id", "bank_id", "base_image_id", "donor_image_ids", "generator")
    assert all(real[column] is None for column in (*columns, "seed", "guidance", "steps"))
    ids = tables()["images"]["image_id"].to_pylist()
    assert (made["source_image_id"], made["bank_id"]) == (ids[1], 1)
    assert (made["base_image_id"], made["donor_image_ids"]) == (ids[1], sorted([ids[4], ids[7]]))
    unmixed = opened[N_REAL + 3]
    assert unmixed["generator"] == "pretrained" and unmixed["donor_image_ids"] is None


def test_bytes_are_the_original_ones_where_every_reader_shows_them_alike(folder):
    original = tables()
    data = image_tables.get_bytes(original["images"]) + image_tables.get_bytes(original["made"])
    (part,) = (folder / "data").iterdir()
    assert part.name == "train-00000-of-00001.parquet"
    table = pq.read_table(part)
    originals = table["original"].to_pylist()
    assert [i for i, kept in enumerate(originals) if kept] == [4] and originals[4] == data[4]
    shown = image_tables.get_bytes(table)
    assert [shown[i] for i in range(N_REAL) if i != 4] == data[:4] + data[5:N_REAL]
    for i, row in enumerate(rows(folder / "provenance.csv")):
        content = (folder / row["file"]).read_bytes()
        assert content == shown[i]
        assert row["sha256"] == hashlib.sha256(data[i]).hexdigest()
        if i == 4 or i >= N_REAL:  # ImageFolder lists no GIF; synthetic files say that they are
            assert row["file"].endswith(".png")
            opened = [Image.open(io.BytesIO(x)).convert("RGB") for x in (content, data[i])]
            assert np.array_equal(*map(np.asarray, opened))
        else:
            assert content == data[i]
            assert row["file"].endswith(".jpg" if i == 1 else ".png")
    assert json.loads(rows(folder / "provenance.csv")[N_REAL]["donor_image_ids"])


def test_held_out_splits_are_written_where_they_are_asked_for(tmp_path, monkeypatch):
    import datasets
    from torchvision.datasets import ImageFolder

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    other = raw_data.picture(501, suffix="GIF")
    test = image_tables.build_table(
        data=[raw_data.picture(500), other],
        labels=[2, 0],
        class_names=[CLASSES[2], CLASSES[0]],
        image_ids=["test/1", "test/2"],
    )
    made = make_folder(tmp_path, more=["test"], test=test, splits=(0, N_MADE))
    assert not (made / "validation").exists()
    assert len(ImageFolder(str(made / "train"))) == N_REAL + N_MADE
    files = sorted(path.name for path in (made / "test").rglob("*.*"))
    assert [name[:12] for name in files] == ["real-0000000", "real-0000001"]
    assert {f.parent.name for f in (made / "test").rglob("*.png")} < {
        f.name for f in (made / "train").iterdir()
    }
    opened = datasets.load_dataset(str(made), cache_dir=str(tmp_path / "cache"))
    assert {split: len(opened[split]) for split in opened} == {"train": 21, "test": 2}
    assert opened["test"].features == opened["train"].features
    assert opened["test"]["class_name"] == [CLASSES[2], CLASSES[0]]
    assert not any(opened["test"]["synthetic"]) and opened["test"][0]["seed"] is None
    assert opened["test"][0]["original"] is None and opened["test"][1]["original"] == other
    assert "2 of the split test" in (made / "README.md").read_text("utf-8")
    assert len(rows(made / "provenance.csv")) == N_REAL + N_MADE, "of the training set alone"


def test_card_counts_and_names_the_models(folder):
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "9 real training images of `pets` and 12 synthetic ones" in text
    assert "| 9 | finetuned | text 7.5 | 25 | abc |" in text
    assert "| 3 | pretrained | text 7.5 | 25 | abc |" in text
    for name in ("Salesforce/blip2-opt-2.7b", SETTINGS["clip"], SETTINGS["diffusion"]):
        assert f"| {name} |" in text
    assert "| Straße/猫 | Straße%2F猫 | 3 | 4 |" in text


def test_the_cards_own_lines_run(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path)
    monkeypatch.chdir(folder)
    code = (folder / "README.md").read_text(encoding="utf-8").split("```python\n")[1]
    made = {}
    exec(code.split("```")[0], made)
    assert len(made["images"]) == len(made["table"]) == N_REAL + N_MADE
    assert made["real"]["image_id"] == tables()["images"]["image_id"].to_pylist()


def test_the_same_bytes_whatever_the_shards(folder, tmp_path):
    again = make_folder(tmp_path, splits=(0, 1, 2, 11, N_MADE))
    files = sorted(f.relative_to(folder) for f in folder.rglob("*") if f.is_file())
    assert files == sorted(f.relative_to(again) for f in again.rglob("*") if f.is_file())
    _, differ, errors = filecmp.cmpfiles(folder, again, files, shallow=False)
    assert not differ and not errors


def test_row_groups_and_parts_are_filled_across_shards(tmp_path, monkeypatch):
    monkeypatch.setattr(image_tables, "ROW_GROUP", 4)
    monkeypatch.setattr(export, "PART", 8)
    made = make_folder(tmp_path)
    parts = sorted((made / "data").iterdir())
    assert [p.name for p in parts] == [f"train-0000{i}-of-00003.parquet" for i in range(3)]
    assert [pq.ParquetFile(p).num_row_groups for p in parts] == [2, 2, 2]
    table = pa.concat_tables([pq.read_table(p) for p in parts])
    original = tables()
    ids = original["images"]["image_id"].to_pylist() + original["made"]["image_id"].to_pylist()
    assert table["image_id"].to_pylist() == ids
    shown, originals = image_tables.get_bytes(table), table["original"].to_pylist()
    kept = [old or new for old, new in zip(originals, shown, strict=True)]
    assert kept[:N_REAL] == image_tables.get_bytes(original["images"])
    for file, data in zip(kept[N_REAL:], image_tables.get_bytes(original["made"]), strict=True):
        assert np.array_equal(*(np.asarray(Image.open(io.BytesIO(each))) for each in (file, data)))


def held(column: str, value: str) -> pa.Table:
    row = {"image_id": "test/1", "sha256": "f" * 64, "split": "test", column: value}
    return pa.Table.from_pylist([row])


def without(table: pa.Table, row: int) -> pa.Table:
    return pa.concat_tables([table.slice(0, row), table.slice(row + 1)])


def refused(case: str) -> dict:
    """A change of the tables for which nothing may be written."""
    own = tables()
    train, made = own["images"], own["made"]
    return {
        "held-out image": {"held_out": held("image_id", train["image_id"][0].as_py())},
        "held-out bytes": {"held_out": held("sha256", train["sha256"][3].as_py())},
        "stranger": {"images": without(train, 1), "captions": without(own["captions"], 1)},
        "twice": {"made": pa.concat_tables([made, made])},
        "foreign class": {
            "made": made.set_column(2, "class_name", pa.array(["dog"] * N_MADE)),
        },
    }[case]


@pytest.mark.parametrize(
    "case, said",
    [
        ("held-out image", "held-out image"),
        ("held-out bytes", "held-out image"),
        ("stranger", "sources of synthetic images are not training images"),
        ("twice", "image_id occurs twice"),
        ("foreign class", "classes without real images.*dog"),
    ],
)
def test_what_must_not_be_in_it_is_refused(tmp_path, case, said):
    change = refused(case)
    splits = (0, len(change.get("made", range(N_MADE))))
    with pytest.raises(ValueError, match=said):
        make_folder(tmp_path, splits=splits, **change)
    assert not (tmp_path / "augmented").exists()


def test_a_failure_leaves_the_old_folder_and_nothing_else(tmp_path):
    target = tmp_path / "augmented"
    raw_data.put(target / "old", b"old")
    with pytest.raises(KeyError), export.replace_folder(target) as folder:
        raw_data.put(folder / "new", b"new")
        raise KeyError
    assert [p.name for p in tmp_path.rglob("*")] == ["augmented", "old"]
    with export.replace_folder(target) as folder:
        raw_data.put(folder / "new", b"new")
    assert [p.name for p in tmp_path.rglob("*")] == ["augmented", "new"]


ODD = ["a/b", "..", ".hidden", "-rf", "~", "nul.txt", "COM1", "tab\there", "dot.", "end ", "%41"]
ODD += ["日本語", "e\u0301té", "\u202edlrow", "q?*<>|\"'$`&", "\ud800", " ", "new\nline", "C:\\x"]


@pytest.mark.parametrize("name", ODD)
def test_odd_names_become_safe_and_come_back(name):
    made = filenames.escape_name(name)
    assert unquote(made, errors="surrogatepass") == name
    assert not set(made) & set('/\\:*?"<>|\n\t') and made[0] not in ".-~ " and made[-1] not in ". "
    made.encode()
    assert filenames.escape_name("plain name-1.x") == "plain name-1.x"


def test_names_stay_apart_and_short():
    long = ["x" * 300, "x" * 301, "猫" * 100, "/" * 99]
    made = filenames.assign_names(["Cat", "cat", "CAT", "dog", *long, "", "%"])
    assert len({file.casefold() for file in made.values()}) == len(made)
    assert max(len(file.encode()) for file in made.values()) <= 113
    assert made["dog"] == "dog" and made["Cat"].startswith("Cat~")


def test_summary_is_by_label():
    table = pa.table(
        {"label": [1, 0, 1], "class_name": ["b", "a", "b"], "synthetic": [False, False, True]}
    )
    made = collect.Rows(
        table, table.slice(2), np.ones(3, bool), {0: "a", 1: "b"}, {"a": "z", "b": "b"}
    )
    counts = [
        (r["label"], r["imagefolder_label"], r["real"], r["synthetic"], r["dropped"])
        for r in collect.summarise_classes(made)
    ]
    assert counts == [(0, 1, 1, 0, 0), (1, 0, 1, 1, 1)]
