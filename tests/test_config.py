"""The configuration is strict: every fault names its key, its value and what is allowed."""

import copy
import re
from pathlib import Path

import pytest
import yaml
from mvc.settings import faults, missing_files

REPO = Path(__file__).parents[1]
CONFIG = yaml.safe_load((REPO / "config/config.yaml").read_text(encoding="utf-8"))
SCHEMA = yaml.safe_load((REPO / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8"))


def edited(key, value):
    config = copy.deepcopy(CONFIG)
    *path, last = key.split(".")
    place = config
    for part in path:
        place = place[part]
    place[last] = value
    return config


def test_the_default_is_valid():
    assert faults(CONFIG, SCHEMA) == []


@pytest.mark.parametrize(
    "key, value, said",
    [
        ("unet.stpes", 3, "unet.stpes: no such key; did you mean steps?"),
        ("unett", {}, "unett: no such key; did you mean unet?"),
        ("unet.learning_rate", "1e-4", "must be number; YAML reads 1e-4 as text"),
        ("unet.learning_rate", 0, "unet.learning_rate = 0; must be > 0"),
        ("banks.coarse", -1, "banks.coarse = -1; must be >= 0"),
        ("banks.rows", "some", "banks.rows = 'some'; must be one of all, content"),
        ("synthetic.guidance", "image", "must be one of text, both, ip2p"),
        ("unet.resolution", 30, "unet.resolution = 30; must be a multiple of 8"),
        ("classifiers.updates", 2.5, "classifiers.updates = 2.5; must be integer or null"),
        ("classifiers.epochs", 3, "give one, null the other"),
        ("classifiers.seeds", [], "classifiers.seeds = []; must not be empty"),
        ("classifiers.models", {"resnet": {}}, "classifiers.models.resnet: not a name"),
        ("classifiers.arms.syn.extra", "fake", "must be one of finetuned, pretrained, real"),
        ("classifiers.arms.syn.lrr", 1, "classifiers.arms.syn.lrr: no such key; did you mean lr?"),
        ("datasets.a/b", {"loader": "imagefolder", "path": "x"}, "datasets.a/b: not a name"),
        ("datasets.mine", {"loader": "imagefolder"}, "datasets.mine.path: missing"),
        ("datasets.mine", {"loader": "x", "path": "y"}, "must be one of fashion_mnist"),
        ("unet.dropout", {"text": 0.5, "image": 0.5, "both": 0.5}, "its shares must sum to <= 1"),
        ("figures.dataset", "other", "figures.dataset = 'other'; must be one of"),
        ("synthetic.shards", True, "synthetic.shards = True; must be integer"),
    ],
)
def test_a_fault_names_key_value_and_what_is_allowed(key, value, said):
    lines = faults(edited(key, value), SCHEMA)
    assert any(said in line for line in lines), lines


def test_all_faults_are_told_at_once():
    config = edited("unet.stpes", 3)
    del config["banks"]["coarse"]
    lines = faults(config, SCHEMA)
    assert len(lines) == 2 and "banks.coarse: missing" in lines


def test_a_dataset_may_carry_values_of_every_section():
    own = {"loader": "imagefolder", "path": "x"}
    for section in ("images", "captions", "embeddings", "banks", "unet", "synthetic"):
        own[section] = CONFIG[section]
    own |= {section: CONFIG[section] for section in ("classifiers", "judge", "quality")}
    assert faults(edited("datasets.mine", own), SCHEMA) == []
    own["unet"] = {"stpes": 1}
    assert faults(edited("datasets.mine", own), SCHEMA) == [
        "datasets.mine.unet.stpes: no such key; did you mean steps?"
    ]


def test_every_key_is_explained():
    """A comment stands above each key or above the group that it belongs to."""
    lines = (REPO / "config/config.yaml").read_text(encoding="utf-8").splitlines()
    sections = [i for i, line in enumerate(lines) if re.match(r"^\w+:", line)]
    for i in sections:
        assert lines[i - 1].startswith("#"), lines[i]


def test_what_is_named_must_be_there(tmp_path, monkeypatch):
    """Found before a run: a stage that fails takes its finished results with it."""
    monkeypatch.chdir(tmp_path)
    config = edited("datasets.mine", {"loader": "imagefolder", "path": "fotos"})
    config["datasets"]["other"] = {"loader": "imagefolder", "path": None}
    config["captions"]["file"] = "own.csv"
    config["models"]["captioner"] = "Salesforce/blip2-opt-2.7b"
    lines = missing_files(config)
    assert sum("models." in line for line in lines) == 2
    assert any("models.clip = 'resources/miniature/clip': no such folder" in s for s in lines)
    assert any("datasets.mine.path = 'fotos': no such folder" in line for line in lines)
    assert any("datasets.other.path = None: no such folder" in line for line in lines)
    assert any("captions.file = 'own.csv' (mine): no such file" in line for line in lines)
    monkeypatch.chdir(REPO)
    assert missing_files(CONFIG) == []
