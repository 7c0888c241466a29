"""Which images are decoded once, for all jobs that read them at one resolution."""

from collections.abc import Iterable, Mapping

from mvc.config.catalogue import LOADERS
from mvc.config.sections import merge_section

SMALL = 64  # pixels of a side up to which every job decodes them itself, in seconds


def list_pixels(
    config: Mapping, dataset: str, splits: Iterable[str], size: int | None
) -> list[str]:
    """The files with the decoded images of splits at `size` pixels; none where they cost little.

    They do where images are known to be small, and at their native size, which is that of a set
    that was prepared.
    """
    known = LOADERS[config["datasets"][dataset]["loader"]].size
    if size is None or (known and known.side <= SMALL):
        return []
    return [f"results/{dataset}/pixels/{size}/{split}.safetensors" for split in splits]


def list_run_pixels(config: Mapping, dataset: str, model: str, arm: str) -> list[str]:
    """The decoded images that a run is trained and measured on, and chosen by."""
    section = merge_section(config, "classifiers", dataset)
    run = {**section, **section["models"][model], **section["arms"][arm]}
    splits = dict.fromkeys(["train", section["split"], "validation"])
    return list_pixels(config, dataset, splits, run["resolution"])


def list_search_pixels(config: Mapping, dataset: str) -> list[str]:
    """The decoded images that the search for policies is trained on; none for a file of them."""
    policies = merge_section(config, "policies", dataset)
    section = merge_section(config, "classifiers", dataset)
    own = section["models"].get(policies["model"], {})
    size = own.get("resolution", section["resolution"])
    return [] if policies["file"] else list_pixels(config, dataset, ("train",), size)
