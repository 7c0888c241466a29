"""The configuration is strict: every fault names its key, its value and what is allowed."""

import copy
from pathlib import Path

import pytest
import yaml
from mvc.config.check import list_faults, list_missing_packages
from mvc.config.expand import expand_config
from mvc.config.files import list_missing_files
from mvc.tables.published import FIGURES as PUBLISHED
from project_tree import wide_config
from snakemake.utils import update_config

REPO = Path(__file__).parents[2]
CONFIG = wide_config()
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
    assert list_faults(CONFIG, SCHEMA) == []


@pytest.mark.parametrize(
    "key, value, said",
    [
        ("unet.stpes", 3, "unet.stpes: no such key; did you mean steps?"),
        ("unett", {}, "unett: no such key; did you mean unet?"),
        ("unet.learning_rate", "1e-4", "must be number; YAML reads 1e-4 as text"),
        ("unet.learning_rate", "3", "--config passes nested values as text"),
        ("unet.learning_rate", "fast", "unet.learning_rate = 'fast'; must be number"),
        ("unet.learning_rate", "nan", "unet.learning_rate = 'nan'; must be number"),
        ("unet.learning_rate", float("inf"), "unet.learning_rate = inf; must be number"),
        ("synthetic.scale", float("nan"), "synthetic.scale = nan; must be number"),
        ("unet.steps", 5.0, "unet.steps = 5.0; must be integer; write 5"),
        ("classifiers.epochs", True, "classifiers.epochs = True; must be number or null"),
        ("synthetic.batch_size", 1.5e4, "must be integer; write 15000"),
        ("classifiers.seeds", [0.0], "classifiers.seeds.0 = 0.0; must be integer; write 0"),
        ("classifiers.seeds", [0, 0], "classifiers.seeds = [0, 0]"),
        ("classifiers.seeds", 0, "classifiers.seeds = 0; must be array"),
        ("unet.steps:3", None, "unet.steps:3: no such key; a blank is missing"),
        ("unet.learning_rate", 0, "unet.learning_rate = 0; must be > 0"),
        ("banks.coarse", -1, "banks.coarse = -1; must be >= 0"),
        ("banks.rows", "some", "banks.rows = 'some'; must be one of all, content"),
        ("synthetic.guidance", "image", "must be one of text, both, ip2p"),
        ("unet.resolution", 30, "unet.resolution = 30; must be a multiple of 8"),
        ("classifiers.steps", 2.5, "classifiers.steps = 2.5; must be integer or null"),
        ("classifiers.epochs", 3, "classifiers.steps, classifiers.epochs (digits-reduced)"),
        ("policies.epochs", 3, "policies.steps, policies.epochs (digits-reduced)"),
        ("classifiers.seeds", [], "classifiers.seeds = []; must not be empty"),
        ("classifiers.models", {"Res Net": {}}, "classifiers.models.Res Net: not a name"),
        ("classifiers.arms.syn.extra", "fake", "must be one of synthetic, finetuned, pretrained"),
        (
            "classifiers.arms.syn.augmentation",
            "auto",
            "must be one of default, aa, ra, faa, random",
        ),
        (
            "classifiers.arms.syn.learning_ratee",
            1,
            "classifiers.arms.syn.learning_ratee: no such key; did you mean learning_rate?",
        ),
        ("datasets.a/b", {"loader": "imagefolder", "path": "x"}, "datasets.a/b: not a name"),
        ("datasets.mine", {"loader": "imagefolder"}, "datasets.mine.path: missing"),
        ("datasets.mine", {"loader": "x", "path": "y"}, "must be one of fashion_mnist"),
        ("datasets.Digits-reduced", {"loader": "digits", "path": None}, "differ in case alone"),
        ("datasets.Tables", {"loader": "digits", "path": None}, "datasets.Tables: a reserved"),
        (
            "datasets.headroom",
            {"loader": "digits", "path": None},
            "datasets.headroom: a reserved name",
        ),
        ("unet.dropout", {"text": 0.5, "image": 0.5, "both": 0.5}, "its shares must sum to <= 1"),
        (
            "unet.processes",
            3,
            "unet.processes = 3 (digits-reduced); must divide unet.batch_size = 32",
        ),
        ("unet.micro_batch", 0, "unet.micro_batch = 0; must be >= 1"),
        ("unet.micro_batch", "all", "unet.micro_batch = 'all'; must be one of auto"),
        ("figures.datasets.figure1", "o", "figures.datasets.figure1 = 'o'; must be one of fashion"),
        ("tables.rows", {"table6": ["wrn-10-1"]}, "tables.rows.table6: not a name"),
        (
            "datasets.digits-reduced.tables.rows",
            {"table1": ["wrn-99"]},
            "'wrn-99'; must be one of classifiers.models: wrn-10-1",
        ),
        ("policies.folds", 1, "policies.folds = 1; must be >= 2"),
        ("synthetic.pretrained_share", 2, "synthetic.pretrained_share = 2; must be <= 1"),
        ("synthetic.shards", True, "synthetic.shards = True; must be integer"),
        ("synthetic.interval", [5, 1], "synthetic.interval = [5, 1] (digits-reduced); must be"),
        ("synthetic.interval", [5, 5], "must be [low, high] with low < high"),
        ("synthetic.interval", [1], "synthetic.interval = [1]; "),
        ("synthetic.order", 4, "synthetic.order = 4; must be <= 3"),
    ],
)
def test_a_fault_names_key_value_and_what_is_allowed(key, value, said):
    lines = list_faults(edited(key, value), SCHEMA)
    assert any(said in line for line in lines), lines


@pytest.mark.parametrize("value", ["fast", "nan", "inf", "", True])
def test_no_hint_on_numbers_where_there_is_none(value):
    (line,) = list_faults(edited("unet.learning_rate", value), SCHEMA)
    assert line.endswith("must be number")


def test_all_faults_are_told_at_once():
    config = edited("unet.stpes", 3)
    del config["banks"]["coarse"]
    lines = list_faults(config, SCHEMA)
    assert len(lines) == 2 and "banks.coarse: missing" in lines


def test_a_dataset_may_carry_values_of_every_section():
    own = {"loader": "imagefolder", "path": "x"}
    for section in ("images", "captions", "embeddings", "banks", "unet", "synthetic"):
        own[section] = CONFIG[section]
    own |= {section: CONFIG[section] for section in ("classifiers", "oracle", "quality")}
    assert list_faults(edited("datasets.mine", own), SCHEMA) == []
    own["unet"] = {"stpes": 1}
    assert list_faults(edited("datasets.mine", own), SCHEMA) == [
        "datasets.mine.unet.stpes: no such key; did you mean steps?"
    ]


def test_what_is_named_must_be_there(tmp_path, monkeypatch):
    """Found before a run: a stage that fails takes its finished results with it."""
    monkeypatch.chdir(tmp_path)
    config = edited("datasets.mine", {"loader": "imagefolder", "path": "fotos"})
    config["datasets"]["other"] = {"loader": "imagefolder", "path": None}
    config["captions"]["file"] = "own.csv"
    config["models"]["captioner"] = "Salesforce/blip2-opt-2.7b"
    lines = list_missing_files(config)
    assert sum("models." in line for line in lines) == 2
    assert any("models.clip = 'resources/miniature/clip': no such folder" in s for s in lines)
    assert any("datasets.mine.path = 'fotos': no such file or folder" in line for line in lines)
    assert any("datasets.other.path = None: no such file or folder" in line for line in lines)
    assert any("captions.file = 'own.csv' (mine): no such file" in line for line in lines)
    monkeypatch.chdir(REPO)
    assert list_missing_files(CONFIG) == []


@pytest.mark.parametrize("file", ["weights.bin", "weights.pth", "folder", "nowhere"])
def test_weights_that_are_no_safetensors_are_refused(tmp_path, file):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/pytorch_model.bin").touch()
    (tmp_path / "weights.bin").touch()
    (tmp_path / "weights.pth").touch()
    config = edited("classifiers.models.test_resnet.weights", str(tmp_path / file))
    lines = [line for line in list_missing_files(config) if "weights" in line]
    assert lines and "a folder with model.safetensors" in lines[0]
    (tmp_path / "folder/model.safetensors").touch()
    config = edited("classifiers.models.test_resnet.weights", str(tmp_path / "folder"))
    assert not [line for line in list_missing_files(config) if "weights" in line]


def test_validation_that_a_published_set_cannot_have_is_refused():
    config = edited("classifiers.split", "validation")
    assert list_faults(config, SCHEMA) == []
    config["images"] |= {"validation_per_class": 0, "validation_fraction": 0}
    lines = list_faults(config, SCHEMA)
    assert any("(digits-reduced): images.validation_fraction = 0" in line for line in lines)
    assert any("(fashion-mnist-few): images.validation_per_class = 0" in line for line in lines)


def overlaid(text):
    config = copy.deepcopy(CONFIG)
    update_config(config, yaml.safe_load(text))
    return expand_config(config)


def read_overlaid(name):
    """A shipped configuration over the default one."""
    files = (REPO / "config" / each for each in ("config.yaml", name))
    config, over = (yaml.safe_load(file.read_text(encoding="utf-8")) for file in files)
    update_config(config, over)
    return expand_config(config)


def test_a_variant_of_a_data_set_is_one_line():
    variant = "own-pairing: {like: fashion-mnist-reduced, unet: {pairing: own}}"
    config = overlaid(
        f"datasets: {{{variant}, x: {{like: own-pairing, images: {{extra_per_class: 5}}}}}}"
    )
    assert list_faults(config, SCHEMA) == []
    base = config["datasets"]["fashion-mnist-reduced"]
    own = config["datasets"]["own-pairing"]
    assert own == base | {"unet": base["unet"] | {"pairing": "own"}}
    assert config["datasets"]["x"]["images"] == {"labels_per_class": 10, "extra_per_class": 5}
    assert config["datasets"]["x"]["unet"] == own["unet"]


@pytest.mark.parametrize("text", ["a: {like: nobody}", "a: {like: b}, b: {like: a}"])
def test_like_must_name_another_data_set(text):
    (first, *_) = list_faults(overlaid(f"datasets: {{{text}}}"), SCHEMA)
    assert first.startswith("datasets.a.like = ") and "must be another data set" in first


def test_null_takes_out():
    config = overlaid(
        "datasets: {digits-reduced: null, fashion-mnist-few: null}\n"
        "classifiers: {models: {test_efficientnet: null}, arms: {faa: null}}"
    )
    assert list(config["datasets"]) == ["fashion-mnist-reduced"]
    assert "test_efficientnet" not in config["classifiers"]["models"]
    assert "faa" not in config["classifiers"]["arms"]


def test_the_papers_configuration_is_valid():
    config = read_overlaid("paper.yaml")
    assert list_faults(config, SCHEMA) == [] and list_missing_files(config) == []
    rows = {
        (table, dataset, model)
        for dataset, own in config["datasets"].items()
        for table, models in own["tables"]["rows"].items()
        for model in models
    }
    published_rows = {
        (table, dataset, model)
        for table, published in PUBLISHED.items()
        for dataset, model, _ in published
    }
    assert published_rows <= rows, "every row of the paper's tables stands in ours"


def test_a_data_sets_arms_are_laid_over_the_others():
    arms = "{faa: null, mine: {augmentation: ra, extra: null}}"
    config = overlaid(f"datasets: {{digits-reduced: {{classifiers: {{arms: {arms}}}}}}}")
    assert list_faults(config, SCHEMA) == []
    own = config["datasets"]["digits-reduced"]["classifiers"]["arms"]
    assert own.keys() == (CONFIG["classifiers"]["arms"].keys() | {"mine"}) - {"faa"}
    assert "faa" in config["classifiers"]["arms"]


@pytest.mark.parametrize(
    "key, value, said",
    [
        ("classifiers.models.test_resnet.epochs", 5, "(fashion-mnist-reduced, test_resnet, base"),
        (
            "classifiers.models.wrn-10-1.weights",
            "pretrained",
            "pretrained (wrn-10-1); must be null",
        ),
        ("classifiers.arms.syn.steps_as_with", 4, "only for an arm without extra images"),
        ("classifiers.arms.aa.per_real", 2, "only for an arm with extra images"),
        (
            "classifiers.models.wrn-11-1",
            {},
            "'wrn-11-1'; must be wrn-<depth>-<width>, depth 6n + 4",
        ),
        (
            "captions.prefix",
            "a {clas}",
            "captions.prefix = 'a {clas}' (digits-reduced); {class} is",
        ),
        ("captions.prefix", "a {label}", "captions.prefix = 'a {label}'"),
        ("captions.prefix", "a {}", "{class} is the only placeholder"),
        ("captions.prefix", "a {class", "{class} is the only placeholder"),
        ("captions.prefix", "a {class!r}", "{class} is the only placeholder"),
        ("captions.prefix", "a {class.real}", "{class} is the only placeholder"),
        ("captions.prefix", "a {{class}}", "{class} is the only placeholder"),
        ("quality.k", 1000, "quality.k = 1000 (digits-reduced); must be < quality.images"),
        ("classifiers.batch_size", 1, "classifiers.batch_size = 1; must be >= 2"),
        ("classifiers.models.test_resnet.batch_size", 1, "test_resnet.batch_size = 1; must be >="),
        ("classifiers.arms.aa.batch_size", 1, "classifiers.arms.aa.batch_size = 1; must be >= 2"),
        ("oracle.batch_size", 1, "oracle.batch_size = 1; must be >= 2"),
        ("classifiers.arms.aa.steps_as_with", 4, "only for a length in epochs"),
        ("datasets.tables", {"loader": "digits", "path": None}, "datasets.tables: a reserved name"),
        ("datasets.report", {"loader": "digits", "path": None}, "datasets.report: a reserved name"),
        ("classifiers.phase2.share", 1, "classifiers.phase2.share = 1; must be < 1"),
        ("policies.kept", 99, "policies.kept = 99 (digits-reduced); must be <= policies.trials"),
    ],
)
def test_what_a_run_would_refuse_is_told_before_anything_runs(key, value, said):
    lines = list_faults(edited(key, value), SCHEMA)
    assert any(said in line for line in lines), lines


@pytest.mark.parametrize(
    "banks, said",
    [
        ({"per_class": 9}, "banks.per_real, banks.per_class (digits-reduced): set one"),
        ({"per_real": None}, "banks.per_real, banks.per_class (fashion-mnist-few): set one"),
        ({"per_real": {True: 2}}, "banks.per_real.True: not a name; must be text: write it in"),
        ({"per_real": {"Bag": "x"}}, "banks.per_real.Bag = 'x'; must be number"),
        ({"per_real": {}}, "banks.per_real = {}; must not be empty"),
    ],
)
def test_a_bank_has_one_kind_of_number(banks, said):
    config = copy.deepcopy(CONFIG)
    config["banks"] |= banks
    lines = list_faults(expand_config(config), SCHEMA)
    assert any(said in line for line in lines), lines


def test_numbers_by_class_take_classes_called_by_a_number():
    config = overlaid(
        "banks: {per_real: {7: 64, others: 16}}\nclassifiers: {per_real: {others: 4, 7: 0}}"
    )
    assert list_faults(config, SCHEMA) == []
    assert config["banks"]["per_real"] == {"7": 64, "others": 16}


def test_an_optimizer_without_its_package_is_refused_before_the_first_stage():
    config = copy.deepcopy(CONFIG)
    name = next(iter(config["datasets"]))
    config["datasets"][name]["unet"] = {"optimizer": "adamw8bit"}
    (line,) = list_missing_packages(config, lambda package: None)
    assert line.startswith(f"unet.optimizer = adamw8bit ({name}); needs the package bitsandbytes")
    assert not list(list_missing_packages(config, lambda package: package))
    assert not list(list_missing_packages(CONFIG, lambda package: None))


@pytest.mark.parametrize("tracker", ["tensorboard", "wandb"])
def test_a_tracker_without_its_package_is_refused_before_the_first_stage(tracker):
    config = copy.deepcopy(CONFIG)
    config["unet"]["tracker"] = tracker
    line, *_ = list_missing_packages(config, lambda package: None)
    assert line.startswith(f"unet.tracker = {tracker} (") and f"pip install {tracker}" in line
    assert not list(list_missing_packages(config, {tracker: "there"}.get))


def test_an_early_stop_without_a_validation_loss_is_refused():
    config = copy.deepcopy(CONFIG)
    config["unet"]["early_stop"] = {"patience": 3}
    line, *_ = list_faults(config, SCHEMA)
    assert "unet.early_stop" in line and "unet.validation.every = null" in line
    config["unet"]["validation"] = {"every": 10, "pairs": 4}
    assert list_faults(config, SCHEMA) == []
