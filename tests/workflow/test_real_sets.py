"""Two published data sets in the layout in which they are downloaded, as archives and unpacked.

They are not part of the project: MVC_TEST_DATA names the folder that holds their zip files.
"""

import json
import os
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import yaml
from mvc.core import image_tables
from project_tree import REPO, copy_parts
from workflow_run import snakemake

DATA = Path(os.environ.get("MVC_TEST_DATA") or REPO.parent / "shared/data").resolve()
FILES = {"mri": "brain-tumor-mri.zip", "cifar": "cifar-10-images.zip"}
MISSING = [file for file in FILES.values() if not (DATA / file).is_file()]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"no {', '.join(MISSING)} in {DATA} (MVC_TEST_DATA)"),
]
CLASSES = {
    "mri": ["glioma_tumor", "meningioma_tumor", "no_tumor", "pituitary_tumor"],
    "cifar": "airplane automobile bird cat deer dog frog horse ship truck".split(),
}
TEST_IMAGES = {"mri": 240, "cifar": 10_000}
LABELS = 3
NAMES = [f"{name}-{form}" for name in FILES for form in ("zip", "folder")]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Each set as an archive and as a folder up to `augmented`; the archives also to the tables."""
    root = tmp_path_factory.mktemp("real")
    copy_parts(REPO, root)
    own = {}
    for name, file in FILES.items():
        with zipfile.ZipFile(DATA / file) as archive:
            archive.extractall(root / f"raw/{name}")
        shown = {"tables": {"rows": {"table1": ["wrn-10-1"]}}}
        own[f"{name}-zip"] = {"loader": "imagefolder", "path": str(DATA / file), **shown}
        own[f"{name}-folder"] = {"loader": "imagefolder", "path": f"raw/{name}"} | {
            "tables": {"rows": {}}
        }
    config = {
        "datasets": {"fashion-mnist-few": None, **own},
        "images": {"labels_per_class": LABELS},
        "captions": {"max_new_tokens": 4, "num_beams": 1},
        "banks": {"per_real": 2},
        "unet": {"steps": 2, "batch_size": 4},
        "synthetic": {"steps": 2, "shards": 1},
        "policies": {"steps": 1, "trials": 1, "kept": 1, "sub_policies": 1},
        "classifiers": {"seeds": [0], "steps": 2, "per_real": 1},
    }
    (root / "config/real.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    augmented = [f"results/{name}/augmented" for name in NAMES]
    said = snakemake(
        root, "--configfile", "config/real.yaml", "--", *augmented, "results/tables/table1.csv"
    )
    return root, said


def read_report(root, name):
    return json.loads((root / f"results/{name}/images/report.json").read_text("utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_a_published_layout_is_read_as_published(made, name):
    report, kind = read_report(made[0], name), name.split("-")[0]
    assert report["classes"] == CLASSES[kind]
    assert report["splits"]["test"]["images"] == TEST_IMAGES[kind]
    assert report["splits"]["train"]["per_class"] == dict.fromkeys(CLASSES[kind], LABELS)
    assert not report["skipped"]["count"]


@pytest.mark.parametrize("kind", FILES)
def test_an_archive_and_its_folder_give_the_same_splits(made, kind):
    for split in ("train", "validation", "extra", "test"):
        tables = [
            image_tables.read(made[0] / f"results/{kind}-{form}/images/{split}.parquet")
            for form in ("zip", "folder")
        ]
        assert tables[0].equals(tables[1]) and (len(tables[0]) or split == "extra")


def test_copies_across_the_published_parts_are_dropped_and_said(made):
    root, said = made
    dropped = read_report(root, "mri-zip")["copies_dropped"]["of_test"]["count"]
    assert dropped >= 5, "five are equal byte for byte"
    assert any(f"{dropped} training image" in line for line in said.splitlines())


@pytest.mark.parametrize("name", NAMES)
def test_the_augmented_set_opens_with_imagefolder(made, name):
    from torchvision.datasets import ImageFolder

    images = ImageFolder(str(made[0] / f"results/{name}/augmented/train"))
    classes = CLASSES[name.split("-")[0]]
    assert images.classes == classes and len(images) == len(classes) * LABELS * (1 + 1)
    assert all(image.size[0] > 8 for image, _ in (images[0], images[-1]))


def test_the_table_has_a_row_of_each(made):
    table = pd.read_csv(made[0] / "results/tables/table1.csv")
    table = table.sort_values("n_test")
    assert table["dataset"].tolist() == ["mri-zip", "cifar-zip"]
    assert table["n_test"].tolist() == [240, 10_000] and table["ra+syn_mean"].between(0, 100).all()
