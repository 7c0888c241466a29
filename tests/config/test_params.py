"""What each stage reads: for every key the rules that an edit of it touches, and no others."""

import copy

import pytest
import yaml
from mvc.config import params
from mvc.config.catalogue import LOADERS
from mvc.config.sections import sort_config
from project_tree import REPO, tiny_config
from stale import FEEDS, find_stale, find_touched, list_jobs, name_rules

SCHEMA = yaml.safe_load((REPO / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8"))
# Sections of which a data set may have values of its own.
SECTIONS = [name for name in SCHEMA["$defs"]["dataset"]["properties"] if name in SCHEMA["$defs"]]
# Keys that change which jobs there are, or what a job needs, and no job's `cfg`.
PLANNED = {"unet.processes", "synthetic.shards"}
PLANNED |= {f"unet.{key}" for key in ("micro_batch", "checkpointing", "ema_device")}
# Keys that only watch.
PLANNED |= {f"unet.{key}" for key in ("validation", "sample_every", "tracker")}
PLANNED |= {f"classifiers.{key}" for key in ("models", "seeds", "arms", "keep")}

SAMPLERS = "synthetic pretrained figure2 figure6"
TUNED = f"unet unet_report {SAMPLERS}"
SEEDED = f"images banks augmented policies classifiers oracle quality {TUNED}"
HELD = "captions embeddings unet unet_report synthetic pretrained real"
HELD += " policies classifiers oracle quality"
# For every key another value, and the rules of which some job reads another `cfg` or is new.
EDITS = {
    "name": ("second", ""),  # the folder of tables and figures: what is in them stays the same
    "seed": (1, SEEDED),
    "instructions": ("avx2", HELD),
    "models.captioner": ("another", "captions"),
    "models.clip": ("another", "embeddings unet_card synthetic pretrained augmented quality"),
    "models.diffusion": ("another", f"embeddings unet_card real augmented {TUNED}"),
    "datasets.photos.loader": ("csv", "images comparisons"),
    "datasets.photos.path": ("more", "images comparisons"),
    "datasets.more.loader": ("csv", "images comparisons"),
    "datasets.more.path": ("photos", "images comparisons"),
    "images.labels_per_class": (3, "images"),
    "images.validation_per_class": (9, ""),  # of Fashion-MNIST alone, as the next three
    "images.extra_per_class": (9, ""),
    "images.test_per_class": (9, ""),
    "images.oracle_per_class": (9, ""),
    "images.test_fraction": (0.3, "images"),
    "images.validation_fraction": (0.2, "images"),
    "images.unreadable": ("skip", "images"),
    "images.fit": ("pad", "images"),
    "images.image_column": ("photo", ""),  # of Hugging Face alone, as the next one
    "images.label_column": ("kind", ""),
    "captions.file": ("own.csv", "captions"),
    "captions.missing": ("blip2", "captions"),
    "captions.prefix": ("a photo of {class}", "captions synthetic pretrained"),
    "captions.describe": (False, "captions"),
    "captions.max_new_tokens": (9, "captions"),
    "captions.num_beams": (1, "captions"),
    "captions.batch_size": (3, "captions"),
    "embeddings.batch_size": (3, "embeddings"),
    "banks.per_real": (2, "banks"),
    "banks.per_class": (9, "banks"),
    "banks.coarse": (1, "banks augmented"),
    "banks.fine": (1, "banks augmented"),
    "banks.rows": ("content", "banks"),
    "banks.edits": ("noise", "banks"),
    "banks.base": ("round_robin", "banks"),
    "unet.resolution": (64, f"unet_card real {TUNED}"),
    "unet.train": ("full", "unet unet_card"),
    "unet.rank": (4, "unet unet_card"),
    "unet.steps": (5, "unet unet_card"),
    "unet.steps_per_image": (2, "unet unet_card"),
    "unet.batch_size": (2, "unet unet_card"),
    "unet.processes": (2, ""),
    "unet.micro_batch": (1, ""),
    "unet.checkpointing": (True, ""),
    "unet.ema_device": ("cpu", ""),
    "unet.optimizer": ("adamw8bit", "unet unet_card"),
    "unet.learning_rate": (0.01, "unet unet_card"),
    "unet.schedule": ("constant_with_warmup", "unet unet_card"),
    "unet.warmup_steps": (1, "unet unet_card"),
    "unet.weight_decay": (0.1, "unet unet_card"),
    "unet.max_grad_norm": (2.0, "unet unet_card"),
    "unet.ema_decay": (0.5, "unet unet_card"),
    "unet.pairing": ("own", "unet unet_card"),
    "unet.text": ("caption", "unet unet_card"),
    "unet.dropout.text": (0.1, "unet unet_card"),
    "unet.dropout.image": (0.1, "unet unet_card"),
    "unet.dropout.both": (0.1, "unet unet_card"),
    "unet.flip": (False, "unet unet_card"),
    "unet.validation.every": (2, ""),
    "unet.validation.pairs": (2, ""),
    "unet.early_stop": ({"patience": 2}, "unet unet_card"),
    "unet.sample_every": (2, ""),
    "unet.tracker": ("wandb", ""),
    "synthetic.shards": (3, "synthetic pretrained real"),
    "synthetic.pretrained_share": (0.5, "mixed classifiers"),
    "synthetic.guidance": ("both", SAMPLERS),
    "synthetic.scale": (3.0, SAMPLERS),
    "synthetic.image_scale": (2.0, SAMPLERS),
    "synthetic.interval": ([0.3, 5.0], SAMPLERS),
    "synthetic.steps": (3, SAMPLERS),
    "synthetic.order": (3, SAMPLERS),
    "synthetic.karras": (True, SAMPLERS),
    "synthetic.batch_size": (7, f"real {SAMPLERS}"),
    "policies.file": ("own.json", "policies"),
    "policies.model": ("wrn-10-2", "policies"),
    "policies.folds": (3, "policies"),
    "policies.rounds": (2, "policies"),
    "policies.steps": (5, "policies"),
    "policies.epochs": (3, "policies"),
    "policies.trials": (3, "policies"),
    "policies.kept": (2, "policies"),
    "policies.sub_policies": (3, "policies"),
    "policies.operations": (3, "policies"),
    "policies.draws": (2, "policies"),
    "classifiers.models.wrn-10-1": ({"learning_rate": 0.2}, "policies classifiers"),
    "classifiers.models.wrn-10-2": ({"learning_rate": 0.2}, ""),  # in no table
    "classifiers.seeds": ([0, 1], "classifiers"),
    "classifiers.arms.aa+rsp.strategy": ("combined", "classifiers"),
    "classifiers.split": ("validation", "classifiers"),
    "classifiers.keep": ("all", ""),
    "classifiers.resolution": (20, "pixels policies classifiers augmented"),
    "classifiers.steps": (4, "classifiers"),
    "classifiers.epochs": (3, "classifiers"),
    "classifiers.batch_size": (5, "policies classifiers"),
    "classifiers.learning_rate": (0.2, "policies classifiers"),
    "classifiers.weight_decay": (0.1, "policies classifiers"),
    "classifiers.max_grad_norm": (1.0, "policies classifiers"),
    "classifiers.optimizer": ("adam", "policies classifiers"),
    "classifiers.weights": ("pretrained", "policies classifiers"),
    "classifiers.aa": ("imagenet", "classifiers"),
    "classifiers.per_real": (0.5, "classifiers augmented"),
    "classifiers.per_class": (9, "classifiers augmented"),
    "classifiers.select": ("clip", ""),  # without `per_real` all images are used
    "classifiers.steps_as_with": (2, "classifiers"),
    "classifiers.pad": (2, "policies classifiers"),
    "classifiers.flip": (False, "policies classifiers"),
    "classifiers.cutout": (4, "policies classifiers"),
    "classifiers.ra.n": (3, "classifiers"),
    "classifiers.ra.m": (5, "classifiers"),
    "classifiers.fill": ("mean", "policies classifiers"),
    "classifiers.strategy": ("rsp", "classifiers"),
    "classifiers.phase2.share": (0.3, "classifiers"),
    "classifiers.phase2.learning_rate_scale": (0.2, "classifiers"),
    "classifiers.rsp.p": (0.4, "classifiers"),
    "classifiers.rsp.mode": ("append", "classifiers"),
    "oracle.resolution": (20, "oracle"),
    "oracle.steps": (4, "oracle"),
    "oracle.batch_size": (4, "oracle"),
    "oracle.learning_rate": (0.01, "oracle"),
    "oracle.weight_decay": (0.1, "oracle"),
    "augmented.per_class": (9, "augmented"),
    "augmented.filters.clip": (0.5, "augmented"),
    "augmented.filters.oracle": (True, "augmented"),
    "augmented.filters.memorised": (True, "augmented"),
    "augmented.splits": (["train", "test"], "augmented"),
    "augmented.format": (["webdataset"], "augmented"),
    "quality.images": (20, "quality"),
    "quality.k": (2, "quality"),
    "quality.batch_size": (3, "quality"),
    "tables.digits": (2, "table diagnostics comparisons"),
    "tables.confidence": (0.9, "table diagnostics comparisons"),
    "tables.repetition": (2, ""),  # of a target that no table asks for
    "tables.rows.table1": (["wrn-10-1", "wrn-10-2"], "table classifiers"),
    "tables.rows.table4": (["wrn-10-2"], "table classifiers"),
    "tables.rows.table5": (["wrn-10-2"], "table classifiers"),
    "figures.datasets.figure1": ("more", "figure1"),
    "figures.datasets.figure2": ("more", "figure2"),
    "figures.datasets.figure5": ("more", "figure5"),
    "figures.datasets.figure6": ("more", "figure6"),
    "figures.classes": (2, "figure1 figure2 figure5 figure6"),
    "figures.images": (2, "figure1 figure2 figure5 figure6"),
    "figures.cell": (50, "figure1 figure2 figure5 figure6"),
    "figures.coarse": (1, "figure2"),
    "figures.fine": (1, "figure2"),
    "figures.samples.classes": (2, "unet_report"),
    "figures.samples.per_class": (2, "unet_report"),
    "figures.samples.steps": (3, "unet_report"),
    "figures.samples.scale": (3.0, "unet_report"),
    "evidence.comparisons": ({"a": {"says": "b", "treated": "c", "control": "d"}}, "comparisons"),
    "estimate.teraflops": (2.0, ""),  # printed alone
    "estimate.seconds": (2, ""),
}


def make_config() -> dict:
    """The tiny configuration with a second data set and a second classifier."""
    config = tiny_config(REPO)
    config["datasets"]["more"] = {"loader": "imagefolder", "path": "more"}
    config["classifiers"]["models"]["wrn-10-2"] = {}
    return config


CONFIG = make_config()
# An arm has an augmentation and a source of extra images; an edit of either is another run.
EDITS |= {
    f"classifiers.arms.{arm}.{key}": (
        "random" if key == "augmentation" else "real_vae",
        "classifiers",
    )
    for arm in CONFIG["classifiers"]["arms"]
    for key in ("augmentation", "extra")
}
EDITS |= {
    "classifiers.arms.random.augmentation": ("aa", "classifiers"),
    "classifiers.arms.ra+real_vae.extra": ("real", "classifiers"),
}


def leaves(config: dict, prefix: str = "") -> set[str]:
    """Dotted names of all keys without keys below them."""
    names = set()
    for key, value in config.items():
        below = leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else set()
        names |= below or {f"{prefix}{key}"}
    return names


def edited(*edits: tuple[str, object]) -> dict:
    config = copy.deepcopy(CONFIG)
    for key, value in edits:
        place = config
        *parts, last = key.split(".")
        for part in parts:
            place = place[part]
        assert place[last] != value
        place[last] = value
    return config


def test_every_key_is_edited():
    assert set(EDITS) == leaves(CONFIG)


@pytest.mark.parametrize("key", EDITS)
def test_read_gives_a_key_to_exactly_the_stages_that_read_it(key):
    value, rules = EDITS[key]
    assert name_rules(find_touched(CONFIG, edited((key, value)))) == set(rules.split())


def list_read_keys() -> set[str]:
    """All keys that some stage reads, as section.key."""
    sections = [part for reads in params.READS.values() for part in reads.sections.items()]
    sections += [("images", " ".join(loader.keys)) for loader in LOADERS.values()]
    sections += [("policies", "steps epochs"), ("augmented", "per_class")]
    sections += [("classifiers", " ".join([*params.TRAINING, *params.RUN, *params.RUN_WHEN]))]
    return {f"{section}.{key}" for section, keys in sections for key in keys.split()}


def test_every_key_is_read_by_some_stage():
    """A new key is in no stage's `cfg` until it is listed."""
    keys = {f"{name}.{key}" for name in SECTIONS for key in CONFIG[name] if name != "tables"}
    unread = keys - list_read_keys() - PLANNED
    assert not unread, f"read by no stage: {', '.join(sorted(unread))}"


def test_every_key_that_is_read_exists():
    of_a_run = {"classifiers.network", "classifiers.seed", "classifiers.augmentation"}
    of_a_run |= {"classifiers.extra"}
    sections = {name: keys for name, keys in CONFIG.items() if isinstance(keys, dict)}
    known = {f"{name}.{key}" for name, keys in sections.items() for key in keys}
    assert list_read_keys() - of_a_run <= known


def test_read_run_gives_what_its_other_settings_make_use_of():
    select = ("classifiers.select", "clip")
    few = ("classifiers.per_real", 2)
    assert find_touched(edited(few), edited(few, select))
    assert not find_touched(CONFIG, edited(select))


@pytest.mark.parametrize(
    "key, stale",
    [
        ("classifiers.arms.random.augmentation", {"classifiers", "confusion", "diagnostics"}),
        ("classifiers.rsp.p", {"classifiers", "confusion", "table"}),
        (
            "classifiers.learning_rate",
            {"policies", "classifiers", "confusion", "table", "diagnostics"},
        ),
        ("captions.prefix", set(FEEDS) - {"images", "pixels", "policies", "oracle", "mixed"}),
        ("unet.processes", set()),
        ("unet.micro_batch", set()),
        ("unet.validation.every", set()),
    ],
)
def test_find_stale_follows_the_files(key, stale):
    assert find_stale(CONFIG, edited((key, EDITS[key][0]))) == stale


def test_what_is_validated_counts_where_it_stops_the_training():
    stop = ("unet.early_stop", {"patience": 2}), ("unet.validation.every", 3)
    for key in ("every", "pairs"):
        touched = find_touched(edited(*stop), edited(*stop, (f"unet.validation.{key}", 5)))
        assert {job[0] for job in touched} == {"unet"}


def test_a_data_sets_own_value_is_read_for_it_alone():
    config = edited()
    config["datasets"]["more"]["unet"] = {"steps": 5}
    touched = {job for job in find_touched(CONFIG, config) if job[0] != "comparisons"}
    assert touched == {(rule, (("dataset", "more"),)) for rule in ("unet", "unet_card")}


def test_the_order_of_keys_changes_nothing():
    config = {key: copy.deepcopy(CONFIG[key]) for key in reversed(CONFIG)}
    config["unet"] = {key: config["unet"][key] for key in reversed(config["unet"])}
    assert list_jobs(config) == list_jobs(CONFIG) and not find_touched(CONFIG, config)
    assert list(sort_config(config)["datasets"]) == list(CONFIG["datasets"])


def test_an_unknown_data_set_names_those_that_there_are():
    with pytest.raises(ValueError, match="'nobody'; there are photos, more"):
        params.read_stage(CONFIG, "captions", "nobody")
