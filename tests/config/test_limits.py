"""Time limits of classifiers' jobs: those of Wide-ResNets fit their operations."""

import pytest
import yaml
from mvc.config.limits import LEAST, count_wide_resnet, limit_training
from mvc.config.params import read_run
from project_tree import REPO


@pytest.mark.parametrize(("name", "side"), [("wrn-28-10", 32), ("wrn-10-1", 28), ("wrn-40-2", 30)])
def test_count_wide_resnet_counts_as_pytorch_does(name, side):
    from mvc.estimate import architectures, flops

    model = architectures.build_classifier(name, 10, size=side)
    counted = count_wide_resnet(*map(int, name.split("-")[1:]), side)
    assert counted == pytest.approx(flops.count_classifier_forward(model, size=side), rel=1e-3)


def limit(**changes) -> int:
    config = yaml.safe_load((REPO / "config/config.yaml").read_text(encoding="utf-8"))
    config["datasets"] = {"cifar": {"loader": "cifar10", "path": None}}
    config["classifiers"]["models"] = {"wrn-28-10": {}, "resnet50": {}}
    config["classifiers"] |= {"resolution": None, "epochs": 200, "steps": None, "batch_size": 128}
    config["classifiers"] |= {"strategy": "two_phase", "per_real": None}
    config["banks"]["per_real"] = 4
    model = changes.pop("model", "wrn-28-10")
    config["classifiers"] |= changes
    return limit_training(config, "cifar", read_run(config, "cifar", model, "aa+syn"))


def test_limit_training_gives_the_largest_runs_their_time():
    """52 million images of 31.5 GFLOP take 9.1 hours at 50 x 10^12 operations a second."""
    assert 9.1 * 60 * 1.4 < limit() < 9.1 * 60 * 1.7
    assert limit(epochs=20) == limit(model="resnet50") == LEAST
    assert limit(epochs=None, steps=400_000) == pytest.approx(807, rel=0.02)
