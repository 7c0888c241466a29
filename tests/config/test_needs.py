"""What runs need of settings and images is found before the generator starts."""

import copy
import json

import pytest
from mvc import job
from mvc.config import needs
from project_tree import wide_config

CONFIG = wide_config()
RUN = ("digits-reduced", "wrn-10-1", "aa+syn")


def edited(section, **values):
    config = copy.deepcopy(CONFIG)
    config["datasets"]["digits-reduced"].setdefault(section, {}).update(values)
    return config


def make_report(train=5, validation=0, test=9):
    counts = {"train": train, "validation": validation, "extra": 0, "test": test, "oracle": 0}
    return {
        "splits": {k: {"images": 2 * n, "per_class": {"a": n, "b": n}} for k, n in counts.items()}
    }


@pytest.mark.parametrize("select", ["first", "clip"])
@pytest.mark.parametrize("extra", ["synthetic", "finetuned", "pretrained", "train_vae"])
def test_more_synthetic_images_than_are_made_are_refused(select, extra):
    arms = {"aa+syn": {"augmentation": "aa", "extra": extra}}
    config = edited("classifiers", per_real=5, select=select, arms=arms)
    (line,) = needs.list_run_faults(config, [RUN, RUN])
    assert "classifiers.per_real = 5" in line and "banks.per_real = 4" in line
    config["datasets"]["digits-reduced"]["banks"]["per_real"] = 5
    assert not list(needs.list_run_faults(config, [RUN]))


def test_what_no_run_uses_is_not_refused():
    config = edited("classifiers", per_real=5)
    assert not list(needs.list_run_faults(config, []))
    config = edited("classifiers", arms={"aa+syn": {"augmentation": "aa", "extra": None}})
    assert not list(needs.list_run_faults(config, [RUN]))


def test_a_prefix_without_the_class_is_warned_of():
    assert not list(needs.list_setting_warnings(CONFIG))
    (line,) = needs.list_setting_warnings(edited("captions", prefix="a photograph"))
    assert "captions.prefix = 'a photograph' (digits-reduced) has no {class}" in line


def test_an_evaluation_split_without_images_is_refused():
    wanted = needs.collect_needs(edited("classifiers", split="validation"), [RUN], [])
    (line,) = needs.list_unmet_needs(RUN[0], wanted[RUN[0]], make_report())
    assert "there is no validation image (10 train, 0 validation" in line
    assert not list(needs.list_unmet_needs(RUN[0], wanted[RUN[0]], make_report(validation=1)))


def test_a_validation_loss_without_validation_images_is_refused():
    config = edited("unet", validation={"every": 5, "pairs": 4})
    wanted = needs.collect_needs(config, [], [], [RUN[0]])[RUN[0]]
    (line,) = needs.list_unmet_needs(RUN[0], wanted, make_report())
    assert "unet.validation.every = 5" in line and "there is no validation image" in line
    assert not list(needs.list_unmet_needs(RUN[0], wanted, make_report(validation=1)))
    assert needs.collect_needs(CONFIG, [], [], [RUN[0]]) == {}


def test_a_classifier_is_chosen_by_validation_images():
    for name, key in (("digits-reduced", "fraction"), ("fashion-mnist-few", "per_class")):
        wanted = needs.collect_needs(CONFIG, [], [], chosen=[name])[name]
        (line,) = needs.list_unmet_needs(name, wanted, make_report())
        assert f"results/{name}/classifier" in line and f"raise images.validation_{key}" in line
        assert not list(needs.list_unmet_needs(name, wanted, make_report(validation=1)))


@pytest.mark.parametrize("keep", ["none", "best", "all"])
def test_a_classifier_needs_weights_that_are_kept(keep):
    lines = list(needs.list_keeping_faults(edited("classifiers", keep=keep), [RUN[0]]))
    assert bool(lines) == (keep == "none")
    assert all("classifiers.keep = none (digits-reduced)" in line for line in lines)


def test_images_of_several_sizes_need_a_resolution():
    several = {"distinct_sizes": 2, "sizes": {"64 x 48": 12, "32 x 32": 3}}
    report = make_report() | {"shapes": several}
    wanted = needs.collect_needs(edited("classifiers", resolution=None), [RUN], [])[RUN[0]]
    (line,) = needs.list_unmet_needs(RUN[0], wanted, report)
    assert "classifiers.resolution = null (digits-reduced" in line
    assert "2 sizes (12 of 64 x 48, 3 of 32 x 32 pixels" in line
    for shapes in ({}, several | {"distinct_sizes": 1}):
        assert not list(needs.list_unmet_needs(RUN[0], wanted, report | {"shapes": shapes}))
    given = needs.collect_needs(edited("classifiers", resolution=32), [RUN], [])[RUN[0]]
    assert not list(needs.list_unmet_needs(RUN[0], given, report))


def test_more_folds_than_images_are_refused_only_if_they_are_searched():
    config = edited("policies", folds=6)
    wanted = needs.collect_needs(config, [], [RUN[0]])
    (line,) = needs.list_unmet_needs(RUN[0], wanted[RUN[0]], make_report(train=5))
    assert "policies.folds = 6" in line and "must be <= 5" in line
    config["datasets"]["digits-reduced"]["policies"]["file"] = "own.json"
    assert needs.collect_needs(config, [], [RUN[0]]) == {}
    assert needs.collect_needs(config, [], []) == {}


def test_refuse_unmet_stops_the_first_job_after_the_images(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report = tmp_path / "results/pets/images/report.json"
    job.refuse_unmet("pets", "logs/pets/captions.log")
    monkeypatch.setenv(job.NEEDS, json.dumps({"pets": {"split": "validation"}}))
    job.refuse_unmet("pets", "logs/pets/captions.log")  # no images yet
    report.parent.mkdir(parents=True)
    report.write_text(json.dumps(make_report()))
    with pytest.raises(ValueError, match="no validation image"):
        job.refuse_unmet("pets", "logs/pets/captions.log")
    job.refuse_unmet("pets", "logs/pets/images.log")
    job.refuse_unmet("others", "logs/others/captions.log")
    job.refuse_unmet(None, "logs/tables/table1.log")


@pytest.mark.parametrize(
    "banks, classifiers, said",
    [
        ({"per_real": 3}, {"per_real": 4}, "classifiers.per_real = 4 of others; must be <= banks"),
        ({"per_real": {"1": 2, "others": 9}}, {"per_real": 4}, "4 of 1; must be <= banks.per_real"),
        ({"per_real": None, "per_class": 9}, {"per_real": 4}, "4; must be null (all images)"),
        ({}, {"per_real": 4, "per_class": 9}, "classifiers.per_real, classifiers.per_class: set"),
        ({}, {"per_class": 9}, "classifiers.per_class = 9; must be <= banks.per_class = null"),
        ({"per_real": None, "per_class": 8}, {"per_class": 9}, "must be <= banks.per_class = 8"),
        ({"per_real": None, "per_class": 9}, {"per_class": 9}, None),
        ({"per_real": None, "per_class": 9}, {}, None),
    ],
)
def test_no_run_uses_more_images_than_the_bank_gives(banks, classifiers, said):
    config = edited("classifiers", **{"per_real": None, "per_class": None, **classifiers})
    config["datasets"]["digits-reduced"]["banks"] = banks
    lines = list(needs.list_run_faults(config, [RUN]))
    assert [said in line for line in lines] == ([True] if said else [])
    delivered = list(needs.list_delivery_faults(config, [RUN[0]]))
    assert [said in line for line in delivered] == ([True] if said else [])
    config["augmented"]["per_class"] = 99
    assert not list(needs.list_delivery_faults(config, [RUN[0]])), "at most"


def test_what_augmented_needs_of_the_images():
    config = edited("classifiers", per_real=None, resolution=None)
    config["augmented"]["per_class"] = 5
    wanted = json.loads(json.dumps(needs.collect_needs(config, [], [], delivered=[RUN[0]])))
    report = make_report() | {"shapes": {"distinct_sizes": 2, "sizes": {"3 x 4": 5, "8 x 8": 7}}}
    lines = list(needs.list_unmet_needs(RUN[0], wanted[RUN[0]], report))
    assert len(lines) == 2 and "augmented.per_class = 5: no class gets" in lines[0]
    assert "classifiers.resolution = null (digits-reduced, augmented)" in lines[1]


@pytest.mark.parametrize(
    "banks, said",
    [
        ({"per_real": {"c": 2, "others": 9}}, "banks.per_real: no class 'c'; there are 'a', 'b'"),
        ({"per_real": {"a": 2}}, "banks.per_real: no number for 'b'"),
        ({"per_real": None, "per_class": 5}, "no class gets an extra image"),
        ({"per_real": None, "per_class": 6}, None),
    ],
)
def test_classes_of_numbers_are_compared_with_the_images(banks, said):
    config = edited("classifiers", per_real=None)
    config["datasets"]["digits-reduced"]["banks"] = banks
    wanted = json.loads(json.dumps(needs.collect_needs(config, [RUN, RUN], [])))
    lines = list(needs.list_unmet_needs(RUN[0], wanted[RUN[0]], make_report()))
    assert [said in line for line in lines] == ([True] if said else [])
