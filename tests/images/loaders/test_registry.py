"""Every loader, through the whole stage."""

import json

import pytest
import raw_data
import raw_published
from image_builds import build, run_script
from mvc.config.catalogue import LOADERS
from mvc.core import image_tables
from mvc.images.loaders import fashion_mnist
from raw_data import FOLDER, tar_of, zip_of


@pytest.mark.parametrize("loader", [*LOADERS])
def test_path_that_is_not_there_names_the_key(tmp_path, loader):
    cfg = {**raw_data.FASHION, **FOLDER}
    error = ValueError if loader == "digits" else FileNotFoundError
    with pytest.raises(error, match=r"datasets.mine.path = .*absent"):
        build(tmp_path, loader, tmp_path / "absent", cfg)


def test_every_loader_has_its_report_written(tmp_path, monkeypatch):
    """The whole stage on each: five splits, an image of every class in training and test."""
    paths = {
        "fashion_mnist": raw_data.fashion(tmp_path / "fashion"),
        "cifar10": tar_of(tmp_path / "c10.tar.gz", raw_published.cifar10()),
        "cifar100": tar_of(tmp_path / "c100.tar.gz", raw_published.cifar100()),
        "tiny_imagenet": zip_of(tmp_path / "t.zip", raw_published.tiny_imagenet()),
        "caltech101": raw_published.caltech101_at(tmp_path, "zip"),
        "brain_tumor": raw_published.tumours(tmp_path, "nested"),
        "imagefolder": raw_data.folder(tmp_path / "raw", {"a": 9, "b": 9}),
        "csv": raw_data.manifest(tmp_path, "path,label\n" + raw_data.rows()),
        "huggingface": tmp_path / "hf",
        "digits": None,
    }
    raw_data.dataset(12).save_to_disk(paths["huggingface"])
    assert paths.keys() == LOADERS.keys()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fashion_mnist, "POOL", 100)
    for loader, path in paths.items():
        sized = loader == "fashion_mnist"
        cfg = {**(raw_data.FASHION if sized else FOLDER), "loader": loader}
        cfg["path"] = str(path) if path else None
        outputs = run_script(tmp_path / "out" / loader, cfg)
        report = json.loads((tmp_path / "out" / loader / "report.json").read_text())
        assert report["loader"] == loader and report["used"] <= report["found"]
        labels = [
            set(image_tables.read(outputs[s])["label"].to_pylist()) for s in ("train", "test")
        ]
        assert labels[0] == labels[1] == set(range(len(report["classes"])))
    assert [p.name for p in (tmp_path / "data").iterdir()] == ["unpacked"]
