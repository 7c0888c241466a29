"""What `make readme` writes: the demo's Table 1 into the README, its repetitions into a page.

The page has a section for each processor that the repetitions were run on.
"""

import re
from collections.abc import Mapping

from mvc.config import plan
from mvc.config.params import read_run
from mvc.config.sections import merge_section

REPEATED = "Ours(RA+Syn) over RA"  # what the README says of the repetitions
SECTION = re.compile(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)
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


def describe_repetitions(page: str) -> str:
    """Describe how often the gain over RandAugment held, by the page of the repetitions.

    Raises:
        ValueError: a section does not have the gain.
    """
    holds, count, bounds, processors = 0, 0, [], []
    for processor, section in SECTION.findall(page):
        row = rf"^\| {re.escape(REPEATED)} +\| +(\d+) of (\d+) \|.*\[(\S+), (\S+)\] \|$"
        found = re.search(row, section, re.MULTILINE)
        if not found:
            raise ValueError(f"docs/repetitions.md: {processor} has no row `{REPEATED}`")
        holds, count = holds + int(found[1]), count + int(found[2])
        bounds += [found[3], found[4]]
        processors.append(processor)
    low, *_, high = sorted(bounds, key=lambda text: float(text.replace("−", "-")))
    return (
        f"In {holds} of {count} repetitions with other classifier seeds and instruction sets, on "
        f"{' and '.join(processors)}, RandAugment's gain held, between {low} and {high} points "
        "([each of them](docs/repetitions.md))."
    )


def replace_section(page: str, processor: str, repeated: str) -> str:
    """Replace what one processor gave on the page of the repetitions.

    Args:
        page: as it is, with a section per processor.
        repeated: the page of `repetitions.format_page`; what stands above its first table is new.
    """
    about, _, tables = repeated.partition("\n|")
    own = {processor: "|" + tables.replace("## ", "### ")}
    sections = sorted((dict(SECTION.findall(page)) | own).items())
    return about + "".join(f"\n## {name}\n{text.rstrip()}\n" for name, text in sections)


def replace_block(page: str, block: str) -> str:
    """Replace what stands between the markers of a page.

    Raises:
        ValueError: the page does not have each of them once.
    """
    if len(BLOCK.findall(page)) != 1:
        raise ValueError("README.md: the markers of `make readme` must stand there once")
    return BLOCK.sub(lambda match: f"{match[1]}{block}\n{match[2]}", page)
