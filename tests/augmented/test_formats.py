"""The folder opens in the libraries it is made for, and each synthetic file says what it is."""

import io
import json
import tarfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from augmented_set import CLASSES, N_MADE, N_REAL, SETTINGS, make_folder, rows, tables
from mvc.augmented import croissant, export, metadata
from mvc.core import image_tables
from PIL import Image

ALL = ["folders", "parquet", "webdataset"]
ODD = "a <b>&\"'\x00\ud800 ]]> 🐈"


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("formats")
    return make_folder(root, more=["test"], settings={"format": ALL, "splits": ["train", "test"]})


def read_front(folder: Path) -> dict:
    return yaml.safe_load((folder / "README.md").read_text("utf-8").split("---\n")[1])


def read_xmp(data: bytes) -> dict:
    """The properties of the XMP packet in a PNG, by their names with namespaces."""
    with Image.open(io.BytesIO(data)) as image:
        packet = image.info["XML:com.adobe.xmp"]
    assert packet.startswith("<?xpacket begin=") and packet.endswith('<?xpacket end="r"?>')
    (described,) = ElementTree.fromstring(packet).iter(
        "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description"
    )
    return {each.tag: [text for text in each.itertext() if text.strip()] for each in described}


def test_every_synthetic_file_says_so_and_where_it_comes_from(folder):
    table = {row["file"]: row for row in rows(folder / "provenance.csv")}
    iptc, mvc = (f"{{{metadata.NAMESPACES[name]}}}" for name in ("Iptc4xmpExt", "mvc"))
    files = sorted((folder / "train").rglob("*.*"))
    assert len(files) == N_REAL + N_MADE
    for file in files:
        row = table[file.relative_to(folder).as_posix()]
        if row["synthetic"] == "False":
            assert b"trainedAlgorithmicMedia" not in file.read_bytes()
            continue
        found = read_xmp(file.read_bytes())
        assert found[f"{iptc}DigitalSourceType"] == [
            "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
        ]
        (said,) = found[f"{{{metadata.NAMESPACES['dc']}}}description"]
        assert said.startswith("Synthetic image") and row["class_name"] in said
        names = ("image_id", "source_image_id", "caption", "generator_digest", "seed", "guidance")
        assert all(found[mvc + name] == [row[name]] for name in names)
        donors = json.loads(row["donor_image_ids"]) if row["donor_image_ids"] else None
        assert found.get(f"{mvc}donor_image_ids") == donors


def test_any_text_fits_into_the_metadata():
    pixels = np.zeros((3, 4), np.uint8)
    row = {"class_name": ODD, "caption": ODD, "bank_id": None, "donor_image_ids": [ODD, "b"]}
    data = metadata.encode_marked(pixels, row)
    found = read_xmp(data)
    name = f"{{{metadata.NAMESPACES['mvc']}}}"
    clean = ODD.replace("\x00", "\ufffd").replace("\ud800", "\ufffd")
    assert found[f"{name}caption"] == [clean] and f"{name}bank_id" not in found
    assert found[f"{name}donor_image_ids"] == [clean, "b"]
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), pixels)


def test_the_shards_open_as_webdataset(folder, tmp_path):
    import datasets

    opened = datasets.load_dataset(
        "webdataset",
        data_files={"train": str(folder / "shards/train-*.tar")},
        split="train",
        cache_dir=str(tmp_path),
    )
    (part,) = (folder / "data").glob("train-*")
    table = pq.read_table(part)
    assert len(opened) == len(table) == N_REAL + N_MADE
    assert opened["cls"] == table["label"].to_pylist()
    files = image_tables.get_bytes(table)
    for sample, data, row in zip(opened, files, table.drop(["image"]).to_pylist(), strict=True):
        assert np.array_equal(np.asarray(sample["png"]), np.asarray(Image.open(io.BytesIO(data))))
        facts = sample["json"]
        assert {name: row[name] for name in facts if name != "provenance"} == {
            name: value for name, value in facts.items() if name != "provenance"
        }
        provenance = json.loads(facts["provenance"])
        assert provenance.get("caption") == row["caption"]
        assert provenance.get("donor_image_ids") == row["donor_image_ids"]


def test_shards_hold_a_row_group_each(tmp_path, monkeypatch):
    monkeypatch.setattr(image_tables, "ROW_GROUP", 8)
    monkeypatch.setattr(export, "PART", 16)
    made = make_folder(tmp_path, settings={"format": ["webdataset"]})
    assert sorted(path.name for path in made.iterdir()) == [
        *("README.md", "classes.csv", "provenance.csv", "selection.json", "shards"),
    ]
    shards = sorted((made / "shards").iterdir())
    assert [path.name for path in shards] == [f"train-0000{i}-of-00003.tar" for i in range(3)]
    keys = []
    for path in shards:
        with tarfile.open(path) as tar:
            keys.append([name.partition(".")[0] for name in tar.getnames() if name.endswith("cls")])
    assert list(map(len, keys)) == [8, 8, 5]
    assert keys[1][:2] == ["real-0000008", "synthetic-0000009"]


@pytest.mark.parametrize("formats", [["folders"], ["parquet"], ["webdataset"], ALL])
def test_datasets_opens_every_format(tmp_path, formats):
    import datasets

    made = make_folder(tmp_path / "made", settings={"format": formats})
    opened = datasets.load_dataset(str(made), split="train", cache_dir=str(tmp_path))
    assert len(opened) == N_REAL + N_MADE
    pictures = opened["png" if formats == ["webdataset"] else "image"]
    assert {picture.mode for picture in pictures} == {"RGB"}
    assert (made / "croissant.json").exists() == ("parquet" in formats)


def test_timm_opens_the_class_folders(folder):
    from timm.data import create_dataset

    names = sorted((row["folder"] for row in rows(folder / "classes.csv")), key=str.lower)
    for split, size in {"train": N_REAL + N_MADE, "test": 1}.items():
        opened = create_dataset("", root=str(folder), split=split)
        assert len(opened) == size
    opened = create_dataset("", root=str(folder), split="train")
    assert opened.reader.class_to_idx == {name: label for label, name in enumerate(names)}
    picture, label = opened[0]
    assert picture.mode == "RGB" and names[label] in opened.filename(0, absolute=True)


def test_a_plain_data_loader_stacks_the_images(folder, tmp_path):
    import datasets
    from torch.utils.data import DataLoader
    from torchvision.transforms.functional import pil_to_tensor

    opened = datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path))
    loader = DataLoader([pil_to_tensor(picture) for picture in opened["image"]], batch_size=21)
    assert next(iter(loader)).shape == (21, 3, 10, 12)


def test_the_front_matter_is_the_hubs(folder):
    from huggingface_hub import DatasetCard

    front = read_front(folder)
    assert front["license"] == "unknown" and front["size_categories"] == ["n<1K"]
    assert front["task_categories"] == ["image-classification"] and front["tags"] == ["synthetic"]
    assert front["source_datasets"] == ["extended|other-pets"]
    assert [each["config_name"] for each in front["configs"]] == ["default"]
    info = front["dataset_info"]
    features = {each["name"]: each for each in info["features"]}
    assert features["image"]["dtype"] == "image"
    assert list(features["label"]["dtype"]["class_label"]["names"].values()) == list(CLASSES)
    assert {s["name"]: s["num_examples"] for s in info["splits"]} == {"train": 21, "test": 1}
    assert info["download_size"] == sum(f.stat().st_size for f in (folder / "data").iterdir())
    assert DatasetCard.load(folder / "README.md").data.to_dict()["pretty_name"] == "pets, augmented"


def test_the_card_names_licences_uses_and_limits(folder):
    text = (folder / "README.md").read_text("utf-8")
    for part in ("## Intended use, and limits", "Not to measure with", "## Licences"):
        assert part in text.replace("\n", " ")
    table = {
        line.split("|")[1].strip(): line.split("|")[2].strip()
        for line in text.partition("## Licences")[2].splitlines()
        if line.startswith("| ")
    }
    assert table[f"diffusion model: {SETTINGS['diffusion']}"] == "creativeml-openrail-m"
    assert table[f"text encoder, filter: {SETTINGS['clip']}"] == "mit"
    assert table["captions: Salesforce/blip2-opt-2.7b"].startswith("mit; ")
    assert table["real images"].startswith("unknown")


def test_a_model_without_a_stated_licence_is_unknown(tmp_path):
    made = make_folder(tmp_path, settings={"diffusion": "someone/else"})
    (line,) = [
        line
        for line in (made / "README.md").read_text("utf-8").splitlines()
        if line.startswith("| diffusion model: someone/else")
    ]
    assert line.split("|")[2].strip() == "unknown"


@pytest.mark.parametrize("part", [None, 8])
def test_croissant_is_valid_and_reads_the_records(tmp_path, monkeypatch, part):
    import mlcroissant

    if part:
        monkeypatch.setattr(image_tables, "ROW_GROUP", 8)
        monkeypatch.setattr(export, "PART", part)
    folder = make_folder(tmp_path, more=["test"], settings={"splits": ["train", "test"]})
    assert len(list((folder / "data").glob("train-*"))) == (3 if part else 1)
    opened = mlcroissant.Dataset(jsonld=folder / "croissant.json")
    issues = opened.metadata.ctx.issues
    assert not issues.errors
    assert opened.metadata.conforms_to == list(croissant.SPECIFICATIONS)
    assert [each.id for each in opened.metadata.record_sets] == ["train", "test"]
    records = list(opened.records("train"))
    assert len(records) == N_REAL + N_MADE
    assert {record["train/image"].size for record in records} == {(12, 10)}
    ids = tables()["images"]["image_id"].to_pylist()
    assert [record["train/image_id"].decode() for record in records[:N_REAL]] == ids
    assert sum(record["train/synthetic"] for record in records) == N_MADE
    described = json.loads((folder / "croissant.json").read_text("utf-8"))
    for key in ("dataCollection", "dataUseCases", "dataLimitations", "dataBiases"):
        assert described[f"rai:{key}"] and getattr(opened.metadata, _snake(key))


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


def test_push_to_hub_needs_no_change(folder, tmp_path, monkeypatch):
    """Up to the commit: what would be sent is the table, without paths of this machine."""
    from types import SimpleNamespace

    import datasets
    from huggingface_hub import HfApi

    sent, asked = {}, []

    def keep_files(api, *, additions, **_):
        for each in additions:
            with each.as_file() as file:
                sent[each.path_in_repo] = file.read()

    def answer(api, repo_id, **_):
        asked.append(repo_id)
        if len(asked) > 1:  # the files were sent: what follows is the commit
            raise ConnectionError("offline")
        return SimpleNamespace(id=repo_id)

    monkeypatch.setattr(HfApi, "preupload_lfs_files", keep_files)
    monkeypatch.setattr(HfApi, "repo_info", answer)
    made = datasets.load_dataset(str(folder), cache_dir=str(tmp_path))
    with pytest.raises(ConnectionError, match="offline"):
        made.push_to_hub("someone/pets", token="none")
    assert sorted(sent) == [f"data/{split}-00000-of-00001.parquet" for split in ("test", "train")]
    for name, content in sent.items():
        stored = pq.read_table(folder / name)
        table = pq.read_table(io.BytesIO(content))
        assert table.column_names == stored.column_names
        assert table["image"].to_pylist() == stored["image"].to_pylist()
        assert all("/" not in image["path"] for image in table["image"].to_pylist())
        assert str(folder.parent).encode() not in content
