"""Time limits that follow from the settings, for SLURM. Standard library only."""

import re
from collections.abc import Mapping
from math import ceil

from mvc.config.catalogue import LOADERS
from mvc.config.sections import merge_section

LEAST = 480  # minutes
PER_MINUTE = 50e12 * 60  # operations of a GPU, as docs/cluster.md assumes
SPARE = 1.5  # times the estimate
WIDE = re.compile(r"wrn-(\d+)-(\d+)")


def limit_training(config: Mapping, dataset: str, run: Mapping) -> int:
    """Limit a classifier's job to minutes: 480, or more where a Wide-ResNet's operations take more.

    They are counted where the size of the data set is published. Other networks, and the user's own
    data, get 480: a job that reaches its limit goes on from its checkpoint at the next attempt.

    Args:
        run: the settings of the run, `params.read_run`.
    """
    size = LOADERS[config["datasets"][dataset]["loader"]].size
    network = WIDE.fullmatch(run["network"])
    if not (size and network):
        return LEAST
    seen = (run["steps"] or 0) * run["batch_size"]
    if run["epochs"] is not None:
        labels = merge_section(config, "images", dataset)["labels_per_class"]
        real = min(size.train, size.classes * labels) if labels else size.train
        seen = run["epochs"] * (real * 1.2 + _count_extra(config, dataset, run, real))
    side = run["resolution"] or size.side
    operations = 3 * count_wide_resnet(*map(int, network.groups()), side)  # and backward: twice
    return max(LEAST, ceil(SPARE * seen * operations / PER_MINUTE))


def count_wide_resnet(depth: int, width: int, side: int) -> int:
    """Count the operations of a Wide-ResNet's convolutions on an image, forward."""
    blocks, inputs = (depth - 4) // 6, 16
    products = 9 * 3 * 16 * side**2
    for group, outputs in enumerate((16 * width, 32 * width, 64 * width)):
        positions = ceil(side / 2**group) ** 2
        shortcut = inputs * outputs if group or inputs != outputs else 0
        inner = 9 * outputs * (inputs + (2 * blocks - 1) * outputs)
        products += positions * (inner + shortcut)
        inputs = outputs
    return 2 * products


def _count_extra(config: Mapping, dataset: str, run: Mapping, real: int) -> float | int:
    """Count at most so many extra images, or those whose steps an arm without them takes."""
    if not run["extra"]:
        return real * (run.get("steps_as_with") or 0)
    shares = run.get("per_real") or merge_section(config, "banks", dataset)["per_real"] or 0
    return real * (max(shares.values()) if isinstance(shares, Mapping) else shares)
