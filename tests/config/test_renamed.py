"""An old spelling is refused wherever it may stand, and the new one named."""

import copy

import pytest
import yaml
from mvc.config.check import list_faults
from mvc.config.renamed import KEYS, VALUES, list_old_spellings
from project_tree import REPO
from snakemake.utils import update_config

MAIN, MINIATURE = (
    [
        yaml.safe_load((REPO / folder / f"{name}.yaml").read_text(encoding="utf-8"))
        for folder, name in (("config", part), ("workflow/schemas", f"{part}.schema"))
    ]
    for part in ("config", "miniature")
)


@pytest.mark.parametrize(
    "text, line",
    [
        ("unet: {ema: 0.5}", "unet.ema is now unet.ema_decay"),
        ("unet: {text: none}", "unet.text = none is now caption"),
        ("unet: {samples: {steps: 9}}", "unet.samples is now figures.samples"),
        ("judge: {batch_size: 8}", "judge is now oracle"),
        ("judge: {size: 28}", "judge.size is now oracle.resolution"),
        ("oracle: {size: 28}", "oracle.size is now oracle.resolution"),
        ("classifiers: {lr: 0.1}", "classifiers.lr is now classifiers.learning_rate"),
        (
            "classifiers: {phase2: {lr_scale: 0.1}}",
            "classifiers.phase2.lr_scale is now classifiers.phase2.learning_rate_scale",
        ),
        (
            "classifiers: {models: {wrn-10-1: {updates: 9}}}",
            "classifiers.models.wrn-10-1.updates is now classifiers.models.wrn-10-1.steps",
        ),
        (
            "classifiers: {arms: {mine: {augmentation: ra, extra: round_trip}}}",
            "classifiers.arms.mine.extra = round_trip is now real_vae",
        ),
        (
            "classifiers: {arms: {ra+roundtrip: null}}",
            "classifiers.arms.ra+roundtrip is now classifiers.arms.ra+real_vae",
        ),
        (
            "datasets: {a.b: {like: fashion-mnist-few, classifiers: {prefer: consistent}}}",
            "datasets.a.b.classifiers.prefer is now datasets.a.b.classifiers.select",
        ),
        (
            "datasets: {mine: {like: fashion-mnist-few, judge: {updates: 9}}}",
            "datasets.mine.judge.updates is now datasets.mine.oracle.steps",
        ),
        (
            "datasets: {mine: {like: fashion-mnist-few, unet: {samples: {each: 2}}}}",
            "datasets.mine.unet.samples is now figures.samples",
        ),
        ("corpus: {size: 32}", "corpus.size is now corpus.resolution"),
        (
            "vae: {training: {decay: 0.9}}",
            "vae.training.decay is now vae.training.ema_decay",
        ),
    ],
)
def test_list_old_spellings_names_the_new_one(text, line):
    config = copy.deepcopy(MAIN[0])
    update_config(config, yaml.safe_load(text))
    assert line in list_old_spellings(config)


@pytest.mark.parametrize("name", sorted(path.name for path in (REPO / "config").glob("*.yaml")))
def test_shipped_configurations_have_none(name):
    text = (REPO / "config" / name).read_text(encoding="utf-8")
    assert list_old_spellings(yaml.safe_load(text)) == []


def place(config: dict, key: str, value: object) -> dict:
    """A configuration with a value at a dotted key; `*` is the first name there."""
    config = copy.deepcopy(config)
    *parts, last = key.split(".")
    part = config
    for name in parts:
        part = part.setdefault(next(iter(part)) if name == "*" else name, {})
    part[last] = value
    return config


def main_or_miniature(key: str) -> tuple[dict, dict]:
    return MINIATURE if key.startswith("corpus.") or ".training." in key else MAIN


@pytest.mark.parametrize("old", [key for key in KEYS if "+" not in key])
def test_an_old_key_is_none_of_the_schema_and_a_new_one_is(old):
    config, schema = main_or_miniature(old)
    assert any("no such key" in line for line in list_faults(place(config, old, 1), schema))
    new = place(config, KEYS[old], object())
    assert not any("no such key" in line for line in list_faults(new, schema))


@pytest.mark.parametrize("key", VALUES)
def test_an_old_value_is_refused_and_a_new_one_is_not(key):
    for old, new in VALUES[key].items():
        lines = [list_faults(place(MAIN[0], key, value), MAIN[1]) for value in (old, new)]
        assert any("must be one of" in line for line in lines[0]) and not lines[1]
