"""Files that the configuration names, and those that another one has made."""

import pytest
from mvc.config.files import list_overwritten, list_weights_files


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in ("model/unet/model.safetensors", "model/config.json", "model/README.md"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    return tmp_path


def test_list_weights_files_takes_a_file_or_its_folder(folder):
    file = "model/unet/model.safetensors"
    assert list_weights_files(file) == list_weights_files("model/unet") == [file]
    assert list_weights_files("pretrained") == list_weights_files(None) == []


@pytest.mark.parametrize("file", ["tables/table1.csv", "evidence/comparisons.csv", "report"])
def test_list_overwritten_names_other_data_sets_of_tables_that_exist(folder, file):
    paths = [f"results/{file}", "results/tables/new.csv", "results/photos/bank.parquet"]
    sources = dict.fromkeys(paths, ["results/others/a/0.json", "models/other.json"])
    for path in (paths[0], paths[2]):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    (line,) = list_overwritten(paths, ["photos"], sources.get)
    assert paths[0] in line and "(others)" in line and "name=photos" in line
    assert not list(list_overwritten(paths, ["photos", "others"], sources.get))
    assert not list(list_overwritten(paths, ["photos"], {}.get)), "no record: made by hand"
