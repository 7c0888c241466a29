"""The block of the README that `make readme` writes: the demo's Table 1, and its repetitions."""

import re
from collections.abc import Mapping

from mvc.config import plan
from mvc.config.params import read_run
from mvc.config.sections import merge_section
from mvc.core.markdown import format_number

BLOCK = re.compile(r"(<!-- begin: make readme -->\n).*?(<!-- end: make readme -->)", re.DOTALL)


def describe_run(config: Mapping) -> str:
    """Describe the first row of Table 1: data set, labels, network, steps, test images, seeds."""
    dataset, model = plan.list_rows(config, "table1")[0]
    images = merge_section(config, "images", dataset)
    run = read_run(config, dataset, model, "baseline")
    seeds = len(merge_section(config, "classifiers", dataset)["seeds"])
    loader = (
        config["datasets"][dataset]["loader"].replace("_", "-").title().replace("Mnist", "MNIST")
    )
    return (
        f"{loader}, {images['labels_per_class']} labelled images per class, {model.upper()}, "
        f"{run['steps']} steps for every arm, {10 * images['test_per_class']:,} test images, "
        f"{seeds} classifier seeds"
    )


def describe_repetitions(summary: Mapping, *, digits: int) -> str:
    """Describe how often the gain over RandAugment held: a row of `repetitions.summarise`."""
    bounds = (format_number(summary[side], digits, sign=True) for side in ("low", "high"))
    return (
        f"In {summary['holds']} of {summary['repetitions']} repetitions with other classifier "
        f"seeds and instruction sets RandAugment's gain held, between {' and '.join(bounds)} "
        "points ([each of them](docs/repetitions.md))."
    )


def replace_block(page: str, block: str) -> str:
    """Replace what stands between the markers of a page.

    Raises:
        ValueError: the page does not have each of them once.
    """
    if len(BLOCK.findall(page)) != 1:
        raise ValueError("README.md: the markers of `make readme` must stand there once")
    return BLOCK.sub(lambda match: f"{match[1]}{block}\n{match[2]}", page)
