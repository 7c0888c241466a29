"""Sections of the configuration as a data set has them, and the order of keys."""

from collections.abc import Mapping


def merge_section(config: Mapping, section: str, dataset: str) -> dict:
    """A section, the data set's own values over it, and the seed of its random streams."""
    seed = find_seed(config, dataset)
    return {**config[section], **config["datasets"][dataset].get(section, {}), "seed": seed}


def find_seed(config: Mapping, dataset: str) -> int:
    """The root seed of a data set's random streams.

    Raises:
        ValueError: an unknown data set; names the known ones.
    """
    if dataset not in config["datasets"]:
        raise ValueError(
            f"no data set {dataset!r}; there are {', '.join(config['datasets'])} "
            "(is its --configfile missing?)"
        )
    return config["datasets"][dataset].get("seed", config["seed"])


def find_instructions(config: Mapping, dataset: str) -> str | None:
    """The instruction set that a data set's stages are held to; None: the machine's own."""
    return config["datasets"][dataset].get("instructions", config["instructions"])


def sort_config(config: Mapping) -> dict:
    """The configuration with its keys sorted: Snakemake compares the text of what a stage reads.

    Data sets and comparisons keep their order, which is that of the tables' rows.
    """
    kept = ("datasets", "evidence")
    datasets = {name: sort_keys(values) for name, values in config["datasets"].items()}
    sections = {key: part if key in kept else sort_keys(part) for key, part in config.items()}
    return sections | {"datasets": datasets}


def sort_keys(value: object) -> object:
    """A value with the keys of its dictionaries sorted, at every depth."""
    if isinstance(value, Mapping):
        return {key: sort_keys(value[key]) for key in sorted(value)}
    return value
