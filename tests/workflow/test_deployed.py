"""The workflow used elsewhere: as a module, with `--directory`, as the catalog does, on a store."""

import shutil
from pathlib import Path

import pytest
import yaml
from project_tree import REPO, copy_parts
from workflow_run import planned, snakemake

pytestmark = pytest.mark.workflow
BANK = "results/photos/bank.parquet"
TABLE = "results/tables/table1.csv"
MODULE = """\
configfile: "config/config.yaml"


module mvc:
    snakefile: "{root}/Snakefile"
    config: config


use rule * from mvc as mvc_*
"""
# A module's rules have no profile but that of the workflow that uses them.
TRIGGERS = ("--rerun-triggers", "mtime", "params", "input", "software-env")


def write_config(folder: Path, built: Path, *sections: str) -> None:
    """Write sections of a built project's configuration, whose relative paths are made whole."""
    config = yaml.safe_load((built / "config/config.yaml").read_text(encoding="utf-8"))
    config["datasets"]["photos"]["path"] = str(built / "photos")
    config["models"]["diffusion"] = str(built / config["models"]["diffusion"])
    config = {name: value for name, value in config.items() if name in (sections or config)}
    (folder / "config").mkdir()
    (folder / "config/config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")


def test_as_a_module_it_makes_the_same_files(built, tmp_path):
    """What snakedeploy writes; the miniature models are found in the workflow's own folder."""
    write_config(tmp_path, built)
    (tmp_path / "Snakefile").write_text(MODULE.format(root=built), encoding="utf-8")
    snakemake(tmp_path, *TRIGGERS, "--", BANK)
    for file in (BANK, "results/photos/images/train.parquet"):
        assert (tmp_path / file).read_bytes() == (built / file).read_bytes()
    assert planned(tmp_path, *TRIGGERS, "--", BANK) == []
    assert "mvc_unet" in planned(tmp_path, *TRIGGERS, "--", TABLE)


def test_another_directory_holds_what_differs_and_the_results(built, tmp_path):
    write_config(tmp_path, built, "datasets", "models")
    place = ["--snakefile", str(built / "Snakefile"), "--directory", str(tmp_path)]
    snakemake(built.parent, *place, "--", BANK)
    assert (tmp_path / BANK).read_bytes() == (built / BANK).read_bytes()
    assert not (tmp_path / "resources").exists()


def test_an_installed_package_does_not_run_in_place_of_the_clone(project, tmp_path):
    write_config(tmp_path, project)
    package = tmp_path / "installed/mvc"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('raise ImportError("of an older commit")\n')
    images, paths = "results/photos/images/train.parquet", str(package.parent)
    snakemake(tmp_path, "--snakefile", str(project / "Snakefile"), images, PYTHONPATH=paths)
    assert (tmp_path / images).is_file()


def test_a_directory_without_a_configuration_has_the_default_one(tmp_path):
    place = ["--snakefile", str(REPO / "Snakefile"), "--directory", str(tmp_path)]
    rules = planned(tmp_path, *place, "--", TABLE)
    assert {"images", "unet", "classifiers"} <= set(rules)


def test_the_catalog_finds_workflow_and_test(tmp_path):
    """`workflow/Snakefile`, and `.test`, which runs with `--directory`."""
    copy_parts(REPO, tmp_path)
    shutil.copytree(REPO / ".test/config", tmp_path / ".test/config")
    place = ["--snakefile", "workflow/Snakefile", "--directory", ".test"]
    rules = planned(tmp_path, *place)
    assert sorted({*rules} - {"default"}) == planned(tmp_path, "--directory", ".test", "--", "all")
    record = "results/digits/classifiers/wrn-10-1/ra+syn/0.json"
    snakemake(tmp_path, *place, "--", record)
    assert (tmp_path / ".test" / record).is_file()


@pytest.mark.skipif(not shutil.which("rsync"), reason="no rsync, which the provider `fs` runs")
def test_results_go_to_a_storage_provider(built, tmp_path):
    """As jobs on other machines hand their files on; models and data stay files of this one."""
    write_config(tmp_path, built, "datasets", "models")
    store = tmp_path / "store"
    place = ["--snakefile", str(built / "Snakefile"), "--directory", str(tmp_path)]
    place += ["--default-storage-provider", "fs", "--default-storage-prefix", str(store)]
    place += ["--shared-fs-usage", "persistence", "sources", "software-deployment", "source-cache"]
    snakemake(built.parent, *place, "--", BANK)
    assert (store / BANK).read_bytes() == (built / BANK).read_bytes()
    assert not [path for path in (tmp_path / "results").rglob("*") if path.is_file()]
    assert planned(built.parent, *place, "--", BANK) == []
    assert "unet" in planned(built.parent, *place, "--", TABLE, "results/photos/augmented")
