"""A config edit makes its stage and all downstream of it stale, and nothing else."""

import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from project_tree import PARTS, REPO
from workflow_run import planned, snakemake

pytestmark = pytest.mark.slow

TABLES = {"table", "diagnostics"}
CLASSIFIERS = {"classifiers"} | TABLES
TRAINING = {"policies"} | CLASSIFIERS
DIAGNOSTICS = {"classifiers", "diagnostics"}
SHARDS = CLASSIFIERS | {"quality", "quality_table", "figure1", "figure5"}
SAMPLED = {"figure2", "figure6"}
FINETUNED = {"synthetic"} | SAMPLED | SHARDS
SAMPLERS = {"pretrained"} | FINETUNED
SYNTHETIC = {"real"} | SAMPLERS
UNET = {"unet"} | FINETUNED
BANKS = {"banks", "unet"} | SYNTHETIC
EMBEDDINGS = {"embeddings"} | BANKS
CAPTIONS = {"captions"} | EMBEDDINGS
ORACLE = {"oracle", "quality", "quality_table"}
FIGURES = {"figure1", "figure2", "figure5", "figure6"}
IMAGES = {"images", "policies"} | CAPTIONS | ORACLE

# Every key of the configuration, an edit of it, and the rules that must run again.
EDITS = {
    "seed": (1, IMAGES),
    "models.captioner": ("models/blip2", CAPTIONS),
    "models.clip": ("models/clip", EMBEDDINGS | ORACLE - {"oracle"}),
    "models.diffusion": ("models/other", UNET | SYNTHETIC),
    "datasets.photos.loader": None,
    "datasets.photos.path": ("more", IMAGES),
    "images.labels_per_class": (3, IMAGES),
    "images.validation_per_class": (9, set()),
    "images.extra_per_class": (9, set()),
    "images.test_per_class": (9, set()),
    "images.oracle_per_class": (9, set()),
    "images.test_fraction": (0.3, IMAGES),
    "images.validation_fraction": (0.2, IMAGES),
    "images.unreadable": ("skip", IMAGES),
    "captions.file": ("own.csv", CAPTIONS),
    "captions.prefix": ("a photo of {class}", CAPTIONS),
    "captions.describe": (False, CAPTIONS),
    "captions.max_new_tokens": (9, CAPTIONS),
    "captions.num_beams": (1, CAPTIONS),
    "captions.batch_size": (3, CAPTIONS),
    "embeddings.batch_size": (3, EMBEDDINGS),
    "banks.per_real": (2, BANKS),
    "banks.coarse": (1, BANKS),
    "banks.fine": (1, BANKS),
    "banks.rows": ("content", BANKS),
    "banks.edits": ("noise", BANKS),
    "banks.base": ("round_robin", BANKS),
    "unet.resolution": (64, UNET | SYNTHETIC),
    "unet.steps": (5, UNET),
    "unet.batch_size": (2, UNET),
    "unet.processes": (2, set()),
    "unet.learning_rate": (0.01, UNET),
    "unet.schedule": ("constant_with_warmup", UNET),
    "unet.warmup": (1, UNET),
    "unet.weight_decay": (0.1, UNET),
    "unet.max_grad_norm": (2.0, UNET),
    "unet.ema": (0.5, UNET),
    "unet.pairing": ("own", UNET),
    "unet.text": ("none", UNET),
    "unet.dropout.text": (0.1, UNET),
    "unet.dropout.image": (0.1, UNET),
    "unet.dropout.both": (0.1, UNET),
    "unet.flip": (False, UNET),
    "unet.samples.each": (2, UNET),
    "unet.samples.steps": (3, UNET),
    "unet.samples.scale": (3.0, UNET),
    "synthetic.shards": (3, SYNTHETIC - SAMPLED),
    "synthetic.pretrained_share": (0.5, {"mixed"} | CLASSIFIERS),
    "synthetic.guidance": ("both", SAMPLERS),
    "synthetic.scale": (3.0, SAMPLERS),
    "synthetic.image_scale": (2.0, SAMPLERS),
    "synthetic.steps": (3, SAMPLERS),
    "synthetic.batch_size": (7, SYNTHETIC),
    "policies.file": ("own.json", TRAINING),
    "policies.model": ("wrn-10-2", TRAINING),
    "policies.folds": (3, TRAINING),
    "policies.rounds": (2, TRAINING),
    "policies.steps": (5, TRAINING),
    "policies.epochs": None,
    "policies.trials": (3, TRAINING),
    "policies.kept": (2, TRAINING),
    "policies.sub_policies": (3, TRAINING),
    "policies.operations": (3, TRAINING),
    "policies.draws": (2, TRAINING),
    "classifiers.models.wrn-10-1": ({"learning_rate": 0.2}, TRAINING),
    "classifiers.seeds": ([0, 1], CLASSIFIERS),
    "classifiers.arms.baseline.augmentation": ("aa", CLASSIFIERS - {"diagnostics"}),
    "classifiers.arms.baseline.extra": ("real", CLASSIFIERS - {"diagnostics"}),
    "classifiers.arms.aa.augmentation": ("ra", CLASSIFIERS - {"diagnostics"}),
    "classifiers.arms.aa.extra": ("real", CLASSIFIERS - {"diagnostics"}),
    "classifiers.arms.faa.augmentation": ("aa", CLASSIFIERS),
    "classifiers.arms.faa.extra": ("real", CLASSIFIERS),
    "classifiers.arms.ra.augmentation": ("aa", CLASSIFIERS),
    "classifiers.arms.ra.extra": ("real", CLASSIFIERS),
    "classifiers.arms.ra+syn.augmentation": ("aa", CLASSIFIERS),
    "classifiers.arms.ra+syn.extra": ("real", CLASSIFIERS),
    "classifiers.arms.aa+syn.augmentation": ("ra", CLASSIFIERS - {"diagnostics"}),
    "classifiers.arms.aa+syn.extra": ("real", CLASSIFIERS - {"diagnostics"}),
    "classifiers.arms.aa+pretrained.augmentation": ("ra", CLASSIFIERS - {"diagnostics"}),
    "classifiers.arms.aa+pretrained.extra": ("real", CLASSIFIERS - {"diagnostics"}),
    "classifiers.arms.aa+rsp.augmentation": ("ra", CLASSIFIERS - {"diagnostics"}),
    "classifiers.arms.aa+rsp.extra": ("real", CLASSIFIERS - {"diagnostics"}),
    "classifiers.arms.aa+rsp.strategy": ("combined", CLASSIFIERS - {"diagnostics"}),
    "classifiers.arms.random.augmentation": ("aa", DIAGNOSTICS),
    "classifiers.arms.random.extra": ("real", DIAGNOSTICS),
    "classifiers.arms.ra+pretrained.augmentation": ("aa", DIAGNOSTICS),
    "classifiers.arms.ra+pretrained.extra": ("real", DIAGNOSTICS),
    "classifiers.arms.ra+real.augmentation": ("aa", DIAGNOSTICS),
    "classifiers.arms.ra+real.extra": ("finetuned", DIAGNOSTICS),
    "classifiers.arms.ra+real_vae.augmentation": ("aa", DIAGNOSTICS),
    "classifiers.arms.ra+real_vae.extra": ("real", DIAGNOSTICS),
    "classifiers.arms.ra+train_vae.augmentation": ("aa", DIAGNOSTICS),
    "classifiers.arms.ra+train_vae.extra": ("real", DIAGNOSTICS),
    "classifiers.split": ("validation", CLASSIFIERS),
    "classifiers.resolution": (20, TRAINING),
    "classifiers.steps": (4, CLASSIFIERS),
    "classifiers.epochs": None,
    "classifiers.batch_size": (5, TRAINING),
    "classifiers.learning_rate": (0.2, TRAINING),
    "classifiers.weight_decay": (0.1, TRAINING),
    "classifiers.clip": (1.0, TRAINING),
    "classifiers.optimizer": ("adam", TRAINING),
    "classifiers.weights": None,
    "classifiers.aa": ("imagenet", CLASSIFIERS - {"diagnostics"}),
    "classifiers.per_real": (0.5, CLASSIFIERS),
    "classifiers.select": None,  # of no effect without `per_real`
    "classifiers.steps_as_with": (2, CLASSIFIERS),
    "classifiers.pad": (2, TRAINING),
    "classifiers.flip": (False, TRAINING),
    "classifiers.cutout": (4, TRAINING),
    "classifiers.ra.n": (3, CLASSIFIERS),
    "classifiers.ra.m": (5, CLASSIFIERS),
    "classifiers.fill": ("mean", TRAINING),
    "classifiers.strategy": ("rsp", CLASSIFIERS),
    "classifiers.phase2.share": (0.3, CLASSIFIERS),
    "classifiers.phase2.learning_rate_scale": (0.2, CLASSIFIERS),
    "classifiers.rsp.p": (0.4, CLASSIFIERS - {"diagnostics"}),  # read by strategy rsp alone
    "classifiers.rsp.mode": ("append", CLASSIFIERS - {"diagnostics"}),
    "oracle.size": (20, ORACLE),
    "oracle.steps": (4, ORACLE),
    "oracle.batch_size": (4, ORACLE),
    "oracle.learning_rate": (0.01, ORACLE),
    "oracle.weight_decay": (0.1, ORACLE),
    "quality.images": (20, ORACLE - {"oracle"}),
    "quality.k": (2, ORACLE - {"oracle"}),
    "quality.batch_size": (3, ORACLE - {"oracle"}),
    "tables.digits": (2, TABLES),
    "tables.confidence": (0.9, TABLES),
    "tables.rows.table1": None,
    "tables.rows.table4": None,
    "tables.rows.table5": None,
    "figures.datasets.figure1": None,
    "figures.datasets.figure2": None,
    "figures.datasets.figure5": None,
    "figures.datasets.figure6": None,
    "figures.classes": (2, FIGURES),
    "figures.images": (2, FIGURES),
    "figures.cell": (50, FIGURES),
    "figures.coarse": (1, {"figure2"}),
    "figures.fine": (1, {"figure2"}),
    "evidence.comparisons": ({"a": {"says": "b", "treated": "c", "control": "d"}}, set()),
    "estimate.teraflops": (2.0, set()),  # `all` estimates nothing
    "estimate.seconds": (2, set()),
}
# Keys with one value that is valid here: the tiny project has one data set and a Wide-ResNet alone.
UNTRIED = {key for key, edit in EDITS.items() if edit is None}


@pytest.fixture(scope="module")
def folder(built):
    """The built project, with what the edits point at."""
    shutil.copytree(built / "resources/miniature/blip2", built / "models/blip2")
    shutil.copytree(built / "resources/miniature/clip", built / "models/clip")
    shutil.copytree(built / "models/stable-diffusion", built / "models/other")
    shutil.copytree(built / "photos", built / "more")
    (built / "own.csv").write_text("image_id,caption\n", encoding="utf-8")
    (built / "own.json").write_text("{}\n", encoding="utf-8")
    return built


def leaves(config: dict, prefix: str = "") -> set[str]:
    """Dotted names of all keys without keys below them."""
    names = set()
    for key, value in config.items():
        below = leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else set()
        names |= below or {f"{prefix}{key}"}
    return names


def edited(folder: Path, key: str, value) -> Path:
    """The configuration with another value of a key, as a file of its own."""
    config = yaml.safe_load((folder / "config/config.yaml").read_text(encoding="utf-8"))
    place = config
    *parts, last = key.split(".")
    for part in parts:
        place = place[part]
    assert place[last] != value
    place[last] = value
    path = folder / f"edited-{key}.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def after(folder):
    """The rules planned once a key has another value; dry runs on both cores."""
    with ThreadPoolExecutor(2) as pool:
        yield {
            key: pool.submit(planned, folder, "all", "--configfile", str(edited(folder, key, new)))
            for key, (new, _) in ((k, edit) for k, edit in EDITS.items() if edit is not None)
        }


def test_every_key_is_listed(folder):
    config = yaml.safe_load((folder / "config/config.yaml").read_text(encoding="utf-8"))
    assert leaves(config) == set(EDITS)


@pytest.mark.parametrize("key", sorted(set(EDITS) - UNTRIED))
def test_an_edit_makes_exactly_its_stages_stale(after, key):
    _, stale = EDITS[key]
    assert set(after[key].result()) == stale


# The same values once more, by an anchor and by a merge key.
REPEATED = """
seed: &zero 0
classifiers: {seeds: [*zero]}
unet: {samples: {<<: {each: 1, steps: 2}, scale: 2.0}}
"""


def test_layout_order_and_files_of_the_configuration_make_nothing_stale(folder):
    path = folder / "config/config.yaml"
    text = path.read_text(encoding="utf-8")
    config = yaml.safe_load(text)
    shuffled = {key: config[key] for key in reversed(config)}
    shuffled["unet"] = {key: config["unet"][key] for key in reversed(config["unet"])}
    again = "# a comment\n" + yaml.safe_dump(shuffled, allow_unicode=True, sort_keys=False)
    (folder / "renamed.yaml").write_text(again, encoding="utf-8")
    (folder / "repeated.yaml").write_text(REPEATED, encoding="utf-8")
    repeated = yaml.safe_load(REPEATED)
    assert repeated["unet"]["samples"] == config["unet"]["samples"]
    assert [repeated["seed"]] == repeated["classifiers"]["seeds"] == config["classifiers"]["seeds"]
    path.write_text(again, encoding="utf-8")
    try:
        assert planned(folder, "all", "--configfile", "renamed.yaml", "repeated.yaml") == []
    finally:
        path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    "module, stale",
    [
        ("mvc/banks/mixing.py", BANKS),
        ("mvc/unet/pairs.py", UNET),
        ("mvc/policies/search.py", TRAINING),
        ("mvc/quality/oracle.py", ORACLE),
        ("mvc/tables/statistics.py", TABLES),
        ("captions.py", CAPTIONS),
    ],
)
def test_an_edit_of_code_makes_exactly_the_stages_that_import_it_stale(folder, module, stale):
    """`test_provenance` holds which these are for every module."""
    path = folder / "workflow/scripts" / module
    text, times = path.read_text(encoding="utf-8"), path.stat()
    try:
        path.write_text(text + "\nADDED = 1\n", encoding="utf-8")
        os.utime(path, (times.st_atime, times.st_mtime))
        assert set(planned(folder, "all")) == stale
    finally:
        path.write_text(text, encoding="utf-8")
        os.utime(path, (times.st_atime, times.st_mtime))


def test_comments_touches_and_a_checkout_make_nothing_stale(folder):
    """Every source is newer than every result, and has a comment where it can have one."""
    places = (folder / part for part in PARTS)
    files = [path for place in places for path in (place, *place.rglob("*")) if path.is_file()]
    whole = {path: (path.read_bytes(), path.stat().st_mtime) for path in files}
    assert {"Snakefile", "captions.py", "config.yaml", "model.safetensors"} <= {
        f.name for f in files
    }
    try:
        for path in files:
            if path.suffix in ("", ".py", ".smk", ".yaml"):
                path.write_bytes(whole[path][0] + b"\n# a comment\n")
            os.utime(path)
        assert planned(folder, "all") == []
    finally:
        for path, (content, time) in whole.items():
            path.write_bytes(content)
            os.utime(path, (time, time))


RUNS = r"results/photos/classifiers/wrn-10-1"
REPORTS = r"results/tables/\w+\.\w+"
# What is added to the configuration, what alone is made, and what is made in any case.
ADDED = {
    "datasets: {further: {loader: imagefolder, path: more}}": (
        rf"results/further/.+|{REPORTS}",
        {"results/further/captions.parquet", "results/tables/table1.csv"},
    ),
    "classifiers: {seeds: [0, 1]}": (
        rf"{RUNS}/[^/]+/1\.json|{REPORTS}",
        {"results/photos/classifiers/wrn-10-1/ra+syn/1.json", "results/tables/table1.csv"},
    ),
    "classifiers: {arms: {ra+long: {augmentation: ra, extra: null, steps_as_with: 4}}}": (
        rf"{RUNS}/ra\+long/0\.json|results/tables/diagnostics\.\w+",
        {"results/photos/classifiers/wrn-10-1/ra+long/0.json", "results/tables/diagnostics.csv"},
    ),
    "synthetic: {shards: 3}": (
        r"results/photos/synthetic/\w+/\d-of-3\.parquet|results/photos/quality/.+|"
        rf"{RUNS}/.+(syn|pretrained|rsp|real|roundtrip|reconstructed)/0\.json|"
        rf"{REPORTS}|results/figures/figure[15]\.png",
        {"results/photos/synthetic/finetuned/2-of-3.parquet", "results/tables/table1.csv"},
    ),
}


@pytest.mark.parametrize("added", ADDED)
def test_what_is_added_is_made_and_nothing_else(folder, added):
    only, some = ADDED[added]
    overlay = folder / "added.yaml"
    overlay.write_text(added, encoding="utf-8")
    configs = ["--configfile", "config/config.yaml", str(overlay)]
    said = snakemake(folder, "--dry-run", "all", *configs, cores=1)
    made = {
        path for line in re.findall(r"^ +output: (.+)$", said, re.M) for path in line.split(", ")
    }
    assert some <= made
    assert [path for path in made if not re.fullmatch(only, path)] == []


def test_an_added_photo_makes_its_data_set_stale(folder):
    photo = next((folder / "photos").rglob("*.png"))
    added = shutil.copy(photo, photo.with_name("added.png"))
    try:
        assert set(planned(folder, "all")) == IMAGES
    finally:
        Path(added).unlink()


def test_the_shipped_default_lists_the_same_sections():
    default = yaml.safe_load((REPO / "config/config.yaml").read_text(encoding="utf-8"))
    sections = {key.split(".")[0] for key in leaves(default)}
    assert sections == {key.split(".")[0] for key in EDITS}
