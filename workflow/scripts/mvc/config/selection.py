"""Which synthetic images classifiers use, and which `augmented` delivers: what is asked for.

`mvc/synthetic/choice.py` answers; the dictionaries here are its arguments.
"""

from collections.abc import Mapping

from mvc.config.sections import merge_section

KEYS = ("per_real", "per_class", "select")


def has_quota(run: Mapping) -> bool:
    """Whether a run uses a number of extra images, instead of all."""
    return run["per_real"] is not None or run["per_class"] is not None


def read_selection(config: Mapping, dataset: str) -> dict:
    """How the arm `ra+syn` chooses, or the first arm of synthetic images where there is no such."""
    return {key: _read_arm(config, dataset)[key] for key in KEYS}


def read_delivered(config: Mapping, dataset: str) -> dict:
    """What `augmented` delivers: `selection`, and `resolution`, the side of its images.

    The selection is that of the arm, unless the section `augmented` has its own.
    """
    own, arm = merge_section(config, "augmented", dataset), _read_arm(config, dataset)
    selection = {"section": "classifiers"} | {key: arm[key] for key in KEYS}
    if own["per_class"] is not None:
        quota = {"per_real": None, "per_class": own["per_class"]}
        selection |= {"section": "augmented", **quota}
    if own["filters"]["clip"] is not None:
        selection["select"] = "clip"
    if not has_quota(selection):
        selection["select"] = "first"
    return {"selection": selection, "resolution": arm["resolution"]}


def find_oracle(config: Mapping, dataset: str) -> str | None:
    """The oracle that judges what `augmented` delivers: none where its filter is off."""
    asked = merge_section(config, "augmented", dataset)["filters"]["oracle"]
    return f"results/{dataset}/quality/oracle.safetensors" if asked else None


def _read_arm(config: Mapping, dataset: str) -> dict:
    section = merge_section(config, "classifiers", dataset)
    arms = {name: arm for name, arm in section["arms"].items() if arm["extra"] == "synthetic"}
    first = next(iter(arms.values()), {})
    return {**section, **arms.get("ra+syn", first)}
