"""The estimate: operations by hand, sizes of splits, a page; models by their architecture alone."""

import pytest
import raw_data
import torch
import yaml
from mvc.banks import mixing
from mvc.config.expand import expand_config
from mvc.config.params import read_estimate
from mvc.core.counts import count_extra
from mvc.estimate import cost, size
from mvc.estimate.cost import Size
from project_tree import REPO, wide_config
from snakemake.utils import update_config

MODELS = {
    "captioner": "Salesforce/blip2-opt-2.7b",
    "clip": "ViT-L-14-quickgelu/openai",
    "diffusion": "stable-diffusion-v1-5/stable-diffusion-v1-5",
}
SIZE = Size(labelled=(400,) * 10, test=10_000, side=32)
RUN = {
    "network": "wrn-28-2",
    "resolution": None,
    "batch_size": 128,
    "steps": None,
    "epochs": 200,
    "extra": None,
}
SAMPLING = {"steps": 25, "guidance": "text", "scale": 7.5, "image_scale": 1.5, "interval": None}
SAMPLING |= {"order": 2, "karras": False, "batch_size": 50}
TWO_PHASE = {"strategy": "two_phase", "phase2": {"share": 0.2}}


def section(**changes):
    own = {
        "loader": "cifar10",
        "path": None,
        "images": {"labels_per_class": 400, "test_fraction": 0.2, "validation_fraction": 0.1},
        "captions": {"file": None, "describe": True, "max_new_tokens": 40, "num_beams": 5},
        "banks": {"per_real": 4},
        "unet": {
            "resolution": 256,
            "steps": 15_000,
            "steps_per_image": None,
            "batch_size": 32,
            "flip": True,
        },
        "synthetic": {"shards": 4, "pretrained_share": 0.5, **SAMPLING},
        "policies": None,
        "shown": False,
        "keep": "best",
        "runs": [{**RUN, "extra": "finetuned", **TWO_PHASE}],
    }
    return {**own, **changes}


@pytest.mark.parametrize(
    "changes, images",
    [
        ({}, 200 * 4000),
        ({"extra": "finetuned", **TWO_PHASE}, 200 * 4000 * 5 + 40 * 4000),
        ({"extra": "finetuned", "strategy": "combined"}, 200 * 4000 * 5),
        ({"extra": "finetuned", "strategy": "combined", "per_real": 2}, 200 * 4000 * 3),
        ({"extra": "finetuned", "strategy": "rsp"}, 200 * 4000),
        ({"steps_as_with": 4, **TWO_PHASE}, 200 * 4000 * 5 + 40 * 4000),
        ({"epochs": None, "steps": 600}, 600 * 128),
    ],
)
def test_images_that_a_run_is_trained_on(changes, images):
    assert cost.count_images_seen({**RUN, **changes}, SIZE, 4 * 4000) == images


@pytest.mark.slow
def test_the_papers_stages_cost_what_was_counted():
    """At 256 pixels the U-Net takes 180 GFLOP per evaluation, and a step has two evaluations."""
    lines = {line.stage: line for line in cost.estimate_stages("cifar", section(), SIZE, MODELS)}
    giga = 1e9
    made = lines["synthetic, finetuned"]
    assert made.items == 16_000 and made.jobs == 4
    assert made.operations / made.items == pytest.approx(
        (25 * 2 * 180 + 273 + 622 + 162) * giga, rel=0.03
    )
    tuned = lines["unet"].operations - 2 * 4000 * 273 * giga  # latents of images and mirror images
    assert tuned == pytest.approx(15_000 * 32 * 540 * giga, rel=0.03)
    assert lines["embeddings"].operations == pytest.approx(4000 * 13 * giga, rel=0.05)
    assert lines["captions"].items == 4000 and lines["captions"].operations > 0
    assert "policies" not in lines
    weights = lines["classifiers"].disk / 4
    assert weights == pytest.approx(1.47e6, rel=0.01), "WRN-28-2, as Zagoruyko and Komodakis count"
    (*_, classifiers) = cost.estimate_stages("cifar", section(keep="none"), SIZE, MODELS)
    assert classifiers.disk == 0
    for change in ({"file": "own.csv"}, {"describe": False}):
        settings = section(captions={**section()["captions"], **change})
        (captions, *_) = cost.estimate_stages("cifar", settings, SIZE, MODELS)
        assert captions.operations == 0, "no captioner runs"


def test_the_estimate_has_the_image_sets_that_figures_show():
    """Figures 1 and 5 show what the pre-trained generator draws, which no run may be trained on."""
    config = expand_config(wide_config())
    first, *others = config["datasets"]
    for chosen in (None, others[0]):
        config["figures"]["datasets"] |= {"figure1": chosen, "figure5": chosen}
        settings = read_estimate(config)["datasets"]
        assert [name for name, own in settings.items() if own["shown"]] == [chosen or first]
        own = settings[chosen or first] | {"runs": [RUN]}
        assert cost.list_generators(own) == {"finetuned", "pretrained"}
        assert cost.list_generators(own | {"shown": False}) == set()


@pytest.mark.slow
def test_the_page_of_the_real_models_has_what_is_counted():
    """430 photographs of five equal classes: of 86 each 17 for the test, 9 for validation."""
    config, photos = (
        yaml.safe_load((REPO / f"config/{name}.yaml").read_text(encoding="utf-8"))
        for name in ("config", "photos")
    )
    update_config(config, photos)
    own = read_estimate(expand_config(config))["datasets"]["photos"]
    size = Size(labelled=(60,) * 5, test=5 * 17, side=256)
    page = (REPO / "docs/real-models.md").read_text(encoding="utf-8")
    cells = [line.split(" | ") for line in page.splitlines()]
    shown = {stage.lstrip("| "): numbers for stage, *numbers in cells if numbers}
    named = {
        "captions": "captions, 300",
        "unet": "fine-tuning, 6,000 steps of 32 pairs",
        "synthetic, finetuned": "synthetic images, 4,800",
        "synthetic, pretrained": "4,800 by the pre-trained generator, for Figures 1 and 5 of "
        "`tables` alone",
        "classifiers": "18 classifiers, ResNet-50 at 224 pixels, 1,000 steps",
    }
    lines = cost.estimate_stages("photos", own, size, MODELS)
    assert {line.stage for line in lines} == {*named, "embeddings"}
    assert [line.items for line in lines if line.stage == "classifiers"] == [18]
    for line in (line for line in lines if line.stage in named):
        counted, slow, fast = (float(n.rstrip(" |")) for n in shown[named[line.stage]])
        assert counted == pytest.approx(line.operations / 1e15, abs=0.05 if counted < 1 else 0.5)
        for hours, rate in ((slow, 1e13), (fast, 5e13)):
            assert hours == pytest.approx(line.operations / rate / 3600, abs=0.05)


@pytest.mark.slow
def test_pages_sum_up():
    rows = cost.estimate_stages("a", section(), SIZE, MODELS)
    page = cost.format_page(rows, 1e15, "of a test")
    hours = sum(line.operations for line in rows) / 1e15 / 3600
    assert f"{hours:,.1f}" in page and "16,000 images" in page and "of a test" in page


@pytest.mark.parametrize(
    "labelled, per_real", [((10,), 1.1), ((10,) * 10, 1.1), ((4, 3), 0.5), ((1, 2, 7), 1.5)]
)
def test_synthetic_images_are_the_banks_entries(labelled, per_real):
    labels = [label for label, n in enumerate(labelled) for _ in range(n)]
    tokens, n_tokens = torch.randn(len(labels), 6, 4), torch.full((len(labels),), 5)
    how = {"coarse": 0, "fine": 0, "rows": "all", "base": "uniform", "seed": 0}
    quota = {"per_real": per_real, "per_class": None}
    sizes = dict(enumerate(labelled))
    counts = count_extra({str(y): n for y, n in sizes.items()}, **quota, section="banks")
    counts = {y: counts[str(y)] for y in sizes}
    bank = list(mixing.mix_classes(labels, tokens, n_tokens, counts=counts, **how))
    own = section(banks=quota)
    assert cost.count_synthetic_images(own, Size(labelled, 0, 32)) == len(bank)


def test_sizes_of_known_data_sets():
    assert size.measure("a", section()) == SIZE
    whole = section(images={"labels_per_class": None, "validation_fraction": 0.1})
    assert size.measure("a", whole).train == 45_000


def test_sizes_of_the_users_folder(tmp_path):
    raw_data.folder(tmp_path, {"cat": 10, "dog": 20})
    images = {"labels_per_class": None, "test_fraction": 0.2, "validation_fraction": 0.1}
    own = section(loader="imagefolder", path=str(tmp_path), images=images)
    assert size.measure("mine", own) == Size((7, 14), 6, 256, ("cat", "dog"))
    own["path"] = str(tmp_path / "photos.zip")
    with pytest.raises(ValueError, match=r"datasets.mine.path = .*photos.zip.*unpack the archive"):
        size.measure("mine", own)
