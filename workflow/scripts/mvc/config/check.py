"""Faults of a configuration, each with its key, its value and what is allowed there."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from itertools import combinations
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from mvc.config.expand import list_like_faults
from mvc.config.needs import list_setting_faults
from mvc.config.plan import STUDIES
from mvc.config.rehearsal import PREFIX

# Folders of results/ that belong to no data set.
RESERVED = (*STUDIES, "benchmarks", "figures", "miniature", "report", "tables")
# Integers are whole numbers without a point, so that 5 and 5.0 are not two settings; no number is
# infinite or .nan.
STRICT = extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many(
        {
            "integer": lambda _, value: isinstance(value, int) and not isinstance(value, bool),
            "number": lambda _, value: _is_finite(value),
        }
    ),
)
TEXT_OF_OPTION = "text; --config passes nested values as text: write them in a --configfile"
# Keys of `unet` whose value needs a package that is not locked: the package, and another value.
PACKAGES = {
    ("optimizer", "adamw8bit"): ("bitsandbytes", "adamw"),
    ("tracker", "tensorboard"): ("tensorboard", "null"),
    ("tracker", "wandb"): ("wandb", "null"),
}
WIDE_RESNET = re.compile(r"wrn-(\d+)-[1-9]\d*")


def read_schema(path: str | Path) -> dict:
    """Read a JSON schema in YAML."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the fast one, where it is built
    return yaml.load(Path(path).read_text(encoding="utf-8"), Loader=loader)


def list_faults(config: Mapping, schema: Mapping) -> list[str]:
    """List the faults of a configuration, one line each, in the order of its keys."""
    if lines := list_like_faults(config.get("datasets")):
        return lines
    errors = sorted(STRICT(schema).iter_errors(config), key=lambda e: str(e.path))
    lines = [line for error in errors for line in _explain_error(error, schema)]
    missing = [*_find_missing(config, schema, schema), *_find_sourceless(config.get("datasets"))]
    lines += [f"{key}: missing" for key in missing]
    if not lines and "datasets" in config:
        lines = _check_across(config)
    return list(dict.fromkeys(lines))


def _explain_error(error: ValidationError, schema: Mapping) -> Iterator[str]:
    key = ".".join(str(part) for part in error.absolute_path)
    if error.validator in ("additionalProperties", "unevaluatedProperties"):
        allowed = list_properties(error.schema, schema)
        for name in sorted({*error.instance} - {*allowed}, key=str):
            yield f"{_join_key(key, name)}: no such key; {_suggest_key(str(name), allowed)}"
    elif error.validator == "required":
        for name in error.validator_value:
            if name not in error.instance:
                yield f"{_join_key(key, name)}: missing"
    elif "propertyNames" in error.absolute_schema_path:
        rule = f"match {error.validator_value}"
        rule = "be text: write it in quotes" if error.validator == "type" else rule
        yield f"{_join_key(key, error.instance)}: not a name; must {rule}"
    else:
        yield f"{key} = {error.instance!r}; {_explain_rule(error)}"


def _explain_rule(error: ValidationError) -> str:
    value = error.validator_value
    if error.validator == "type":
        kinds = value if isinstance(value, list) else [value]
        hint = _explain_number(error.instance) if {"number", "integer"} & set(kinds) else ""
        return f"must be {' or '.join(kinds)}{hint}"
    words = {
        "enum": "must be one of",
        "minimum": "must be >=",
        "maximum": "must be <=",
        "exclusiveMinimum": "must be >",
        "exclusiveMaximum": "must be <",
        "multipleOf": "must be a multiple of",
        "minLength": "must not be empty; characters, at least:",
        "minItems": "must not be empty; entries, at least:",
        "minProperties": "must not be empty; entries, at least:",
    }
    if isinstance(value, list):
        value = ", ".join("null" if v is None else str(v) for v in value)
    return f"{words[error.validator]} {value}" if error.validator in words else error.message


def _suggest_key(name: str, allowed: Mapping) -> str:
    """What an unknown key may have been meant to be."""
    head, colon, value = name.partition(":")
    if colon and value and head in allowed:
        return f"a blank is missing after its colon: {head}: {value} ({TEXT_OF_OPTION})"
    close = get_close_matches(name, sorted(allowed), n=1)
    return f"did you mean {close[0]}?" if close else f"allowed: {', '.join(sorted(allowed))}"


def _explain_number(value: object) -> str:
    """Why something that looks like a number is none, and how to write it; else nothing."""
    if isinstance(value, float):
        return f"; write {int(value)}" if value.is_integer() else ""
    try:
        number = float(value) if isinstance(value, str) else None
    except ValueError:
        return ""
    if number is None or not math.isfinite(number):
        return ""
    if re.fullmatch(r"[-+]?\d+e[-+]?\d+", value, re.IGNORECASE) or re.search(r"\.\d*e\d", value):
        return f"; YAML reads {value} as text: write {_write_exponent(value)}"
    return f"; it is {TEXT_OF_OPTION}; in a file leave the quotes out"


def _write_exponent(text: str) -> str:
    """A number as YAML reads it: with a point and a sign, as in 1.0e-4."""
    mantissa, exponent = re.split("[eE]", text)
    sign = "" if exponent.startswith(("-", "+")) else "+"
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}e{sign}{exponent}"


def _is_finite(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def list_properties(part: Mapping, schema: Mapping) -> dict[str, Mapping]:
    """List the keys that a part of the schema describes, those of its `$ref` included."""
    keys = dict(part.get("properties", {}))
    if "$ref" in part:
        keys |= list_properties(schema["$defs"][part["$ref"].rsplit("/", 1)[1]], schema)
    return keys


def _find_missing(value: Mapping, part: Mapping, schema: Mapping, key: str = "") -> Iterator[str]:
    """Keys that no file sets. The schema requires none, since a file may overlay another one."""
    for name, below in list_properties(part, schema).items():
        if name not in value:
            yield _join_key(key, name)
        elif isinstance(value[name], Mapping):
            yield from _find_missing(value[name], below, schema, _join_key(key, name))


def _find_sourceless(datasets: object) -> Iterator[str]:
    for name, values in datasets.items() if isinstance(datasets, Mapping) else ():
        if isinstance(values, Mapping):
            yield from (f"datasets.{name}.{key}" for key in ("loader", "path") if key not in values)


def _check_across(config: Mapping) -> list[str]:
    """Check the rules that span several keys."""
    names = ", ".join(config["datasets"])
    lines = [
        f"datasets.{first}, datasets.{second}: names that differ in case alone; they would share "
        "a folder on some disks: rename one"
        for first, second in combinations(config["datasets"], 2)
        if first.lower() == second.lower()
    ]
    for figure, shown in config["figures"]["datasets"].items():
        if shown is not None and shown not in config["datasets"]:
            lines.append(f"figures.datasets.{figure} = {shown!r}; must be one of {names}")
    for name, values in config["datasets"].items():
        training = {**config["classifiers"], **values.get("classifiers", {})}
        for table, models in {**config["tables"], **values.get("tables", {})}["rows"].items():
            for model in models:
                if model not in training["models"]:
                    lines.append(
                        f"tables.rows.{table} ({name}): {model!r}; must be one of "
                        f"classifiers.models: {', '.join(training['models'])}"
                    )
        banks = {**config["banks"], **values.get("banks", {})}
        if (banks["per_real"] is None) == (banks["per_class"] is None):
            lines.append(f"banks.per_real, banks.per_class ({name}): set one, the other to null")
        lines += _check_runs(name, training)
        if name.lower() in RESERVED:
            lines.append(f"datasets.{name}: a reserved name; must not be {' or '.join(RESERVED)}")
        if name.startswith(PREFIX):
            lines.append(f"datasets.{name}: a reserved name; must not begin with {PREFIX}")
        lines += list_setting_faults(config, name)
        search = {**config["policies"], **values.get("policies", {})}
        if (search["steps"] is None) == (search["epochs"] is None):
            lines.append(f"policies.steps, policies.epochs ({name}): set one, the other to null")
        if search["kept"] > search["trials"]:
            lines.append(
                f"policies.kept = {search['kept']} ({name}); must be <= policies.trials = "
                f"{search['trials']}"
            )
        lines += _check_tuning(name, {**config["unet"], **values.get("unet", {})})
        lines += _check_interval(name, {**config["synthetic"], **values.get("synthetic", {})})
    return lines


def _check_tuning(name: str, tuning: Mapping) -> Iterator[str]:
    """Check the settings of fine-tuning."""
    dropout, pairs, processes = (tuning[key] for key in ("dropout", "batch_size", "processes"))
    if sum(dropout.values()) > 1:
        yield f"unet.dropout = {dropout} ({name}); its shares must sum to <= 1"
    if pairs % processes:
        yield f"unet.processes = {processes} ({name}); must divide unet.batch_size = {pairs}"
    if tuning["early_stop"] and tuning["validation"]["every"] is None:
        yield (
            f"unet.early_stop = {tuning['early_stop']} ({name}): unet.validation.every = null; "
            "set the steps from one measurement to the next, or unet.early_stop to null"
        )


def _check_interval(name: str, sampling: Mapping) -> Iterator[str]:
    """Check the interval of guidance."""
    interval = sampling["interval"]
    if interval is not None and interval[0] >= interval[1]:
        yield f"synthetic.interval = {interval} ({name}); must be [low, high] with low < high"


def list_missing_packages(config: Mapping, find: Callable[[str], object]) -> Iterator[str]:
    """List the packages that settings need and the environment lacks, one line each.

    Args:
        find: returns None for a package that is not installed.
    """
    for name, values in config["datasets"].items():
        tuning = {**config["unet"], **values.get("unet", {})}
        for (key, value), (package, other) in PACKAGES.items():
            if tuning[key] == value and find(package) is None:
                yield (
                    f"unet.{key} = {value} ({name}); needs the package {package}, which is not "
                    f"installed: pip install {package}, or set {other}"
                )


def _check_runs(name: str, training: Mapping) -> Iterator[str]:
    """Check the settings of each run: those of its model and its arm, laid over the section."""
    section_faulty = (training["steps"] is None) == (training["epochs"] is None)
    if section_faulty:
        yield f"classifiers.steps, classifiers.epochs ({name}): set one, the other to null"
    for model, model_values in training["models"].items():
        network = model_values.get("network", model)
        wide = WIDE_RESNET.fullmatch(network)
        if network.startswith("wrn-") and not (wide and int(wide[1]) in range(10, 1000, 6)):
            yield f"classifiers.models: {network!r}; must be wrn-<depth>-<width>, depth 6n + 4"
        for arm, arm_values in training["arms"].items():
            run = {**training, **model_values, **arm_values}
            if not section_faulty and (run["steps"] is None) == (run["epochs"] is None):
                yield (
                    f"classifiers.steps, classifiers.epochs ({name}, {model}, {arm}): "
                    "set one, the other to null"
                )
            if run["weights"] and network.startswith("wrn-"):
                yield (
                    f"classifiers.weights = {run['weights']} ({model}); must be null: "
                    "none are published"
                )
    for arm, values in training["arms"].items():
        if values.get("steps_as_with") is not None and values["extra"]:
            yield f"classifiers.arms.{arm}.steps_as_with: only for an arm without extra images"
        if values.get("steps_as_with") is not None and {**training, **values}["steps"]:
            yield (
                f"classifiers.arms.{arm}.steps_as_with: only for a length in epochs; with steps "
                "every arm takes equally many"
            )
        if values.get("per_real") is not None and not values["extra"]:
            yield f"classifiers.arms.{arm}.per_real: only for an arm with extra images"


def _join_key(key: str, name: object) -> str:
    return f"{key}.{name}" if key else str(name)
