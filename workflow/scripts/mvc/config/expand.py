"""Shorthands of a configuration: `like`, `subsets`, null to remove an entry, `~` in paths."""

import copy
import os
from collections.abc import Iterator, Mapping

PATHS = ("path", "file", "weights")  # keys that may name a file or folder, in any section


def expand_config(config: Mapping) -> dict:
    """Expand the shorthands of a configuration.

    A data set with `like` is laid over the one that it names. One with `subsets: n` becomes n data
    sets that differ in their seed. Null removes a data set, or an arm or model of the section
    `classifiers`, so that an overlay can drop it. A data set's own arms are laid over those of all
    data sets. A leading ~ of a file or folder is the user's home folder.
    """
    config = _expand_homes(config)
    result = dict(config)
    if isinstance(config.get("models"), Mapping):
        result["models"] = {k: _expand_model_home(v) for k, v in config["models"].items()}
    if isinstance(config.get("classifiers"), Mapping):
        result["classifiers"] = _prune(config["classifiers"])
    if isinstance(config.get("datasets"), Mapping):
        datasets = {name: _resolve_like(name, config["datasets"]) for name in config["datasets"]}
        result["datasets"] = dict(
            _list_subsets({k: v for k, v in datasets.items() if v is not None})
        )
        for values in result["datasets"].values():
            if isinstance(values, dict) and isinstance(values.get("classifiers"), Mapping):
                values["classifiers"] = _lay_over(values["classifiers"], result.get("classifiers"))
    return result


def _list_subsets(datasets: Mapping) -> Iterator[tuple[str, object]]:
    """Data sets; one with `subsets: n` becomes n, which differ in their seed, 0 to n - 1."""
    for name, values in datasets.items():
        n = values.get("subsets") if isinstance(values, Mapping) else None
        if not isinstance(n, int) or n < 1:
            yield name, values  # a wrong value is for the schema to report
            continue
        for i in range(n):
            rest = {key: copy.deepcopy(value) for key, value in values.items() if key != "subsets"}
            yield f"{name}-{i}", {**rest, "seed": i}


def _lay_over(section: Mapping, below: object) -> dict:
    """A data set's `classifiers`: its arms over the general ones; its models replace them."""
    both = dict(section)
    if isinstance(section.get("arms"), Mapping) and isinstance(below, Mapping):
        both["arms"] = {**below.get("arms", {}), **section["arms"]}
    return _prune(both)


def _prune(section: Mapping) -> dict:
    kept = dict(section)
    for key in ("models", "arms"):
        if isinstance(section.get(key), Mapping):
            kept[key] = {
                name: values for name, values in section[key].items() if values is not None
            }
    return kept


def _resolve_like(name: str, datasets: Mapping, seen: tuple[str, ...] = ()) -> object:
    """A data set laid over the one that it is like; a wrong `like` stays, to be reported."""
    values = datasets[name]
    if not isinstance(values, Mapping) or "like" not in values:
        return copy.deepcopy(values)
    other = values["like"]
    if not isinstance(datasets.get(other), Mapping) or other in (*seen, name):
        return dict(values)
    below = _resolve_like(other, datasets, (*seen, name))
    rest = {key: value for key, value in values.items() if key != "like"}
    return _merge(below, rest) if "like" not in below else dict(values)


def list_like_faults(datasets: object) -> list[str]:
    """List data sets whose `like` names no data set, or one that is like them in turn."""
    if not isinstance(datasets, Mapping):
        return []
    return [
        _explain_like(name, values["like"], datasets)
        for name, values in datasets.items()
        if isinstance(values, Mapping) and "like" in values
    ]


def list_subset_faults(datasets: object) -> list[str]:
    """List data sets of an unexpanded configuration that bear the name of another's subset."""
    named = {k: v for k, v in datasets.items() if v} if isinstance(datasets, Mapping) else {}
    resolved = {name: _resolve_like(name, datasets) for name in named}
    owners: dict[str, list[str]] = {}
    for name, values in resolved.items():
        for made, _ in _list_subsets({name: values}):
            owners.setdefault(made, []).append(name)
    return [
        f"datasets: {made} is made of {' and of '.join(names)}; one would replace the other: "
        "rename one, or lower subsets"
        for made, names in owners.items()
        if len(names) > 1
    ]


def _explain_like(name: str, other: object, datasets: Mapping) -> str:
    key = f"datasets.{name}.like = {other!r}"
    if isinstance(other, str) and other in datasets and datasets[other] is None:
        return f"{key}; a null takes {other} out of datasets: give its settings here instead"
    others = [str(k) for k, v in datasets.items() if v is not None and k != name]
    return f"{key}; must be another data set, not like this one: {', '.join(others) or 'none left'}"


def _expand_homes(section: Mapping) -> dict:
    """A section with ~ expanded in the keys `PATHS`, at every depth."""
    expanded = dict(section)
    for key, value in section.items():
        if key == "per_real" and isinstance(value, Mapping):  # by class; YAML reads 7 as a number
            expanded[key] = {str(k) if type(k) is int else k: v for k, v in value.items()}
        elif isinstance(value, Mapping):
            expanded[key] = _expand_homes(value)
        elif key in PATHS and isinstance(value, str):
            expanded[key] = os.path.expanduser(value)
    return expanded


def _expand_model_home(value: object) -> object:
    """A model's folder with ~ expanded; also the file of open_clip's `architecture/file`."""
    if not isinstance(value, str):
        return value
    architecture, slash, file = value.partition("/")
    if file.startswith("~"):
        return architecture + slash + os.path.expanduser(file)
    return os.path.expanduser(value)


def _merge(below: Mapping, above: Mapping) -> dict:
    """`above` laid over `below`, dictionaries key by key."""
    both = copy.deepcopy(dict(below))
    for key, value in above.items():
        deep = isinstance(value, Mapping) and isinstance(both.get(key), Mapping)
        both[key] = _merge(both[key], value) if deep else copy.deepcopy(value)
    return both
