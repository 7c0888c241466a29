"""What settings need of each other and of a data set's images, found before the generator starts.

What the configuration alone shows is found while it is parsed, for the runs that are asked for when
Snakemake starts. What depends on the images is found by the first job after the stage `images`
(`job.stage_log`), from the counts in its report: no rule reads them, so nothing becomes stale.
"""

from collections.abc import Iterable, Iterator, Mapping

from mvc.config.catalogue import LOADERS
from mvc.config.params import read_run
from mvc.config.sections import merge_section
from mvc.config.selection import read_delivered
from mvc.core.counts import count_extra


def list_setting_faults(config: Mapping, dataset: str) -> Iterator[str]:
    """List settings of a data set that contradict each other, one per line."""
    prefix = merge_section(config, "captions", dataset)["prefix"]
    if {"{", "}"} & {*prefix.replace("{class}", "")}:
        yield f"captions.prefix = {prefix!r} ({dataset}); {{class}} is the only placeholder allowed"
    quality = merge_section(config, "quality", dataset)
    if quality["k"] >= quality["images"]:
        yield f"quality.k = {quality['k']} ({dataset}); must be < quality.images"
    images = merge_section(config, "images", dataset)
    loader = LOADERS[config["datasets"][dataset]["loader"]]
    key = _name_validation(config, dataset)
    split = merge_section(config, "classifiers", dataset)["split"]
    every = merge_section(config, "unet", dataset)["validation"]["every"]
    users = ["classifiers.split = validation"] if split == "validation" else []
    users += [f"unet.validation.every = {every}"] if every else []
    for user in users if loader.size and not images[key] else ():
        yield f"{user} ({dataset}): images.{key} = 0; must be > 0"


def list_setting_warnings(config: Mapping) -> Iterator[str]:
    """List settings that can be meant, but hardly are, one per line."""
    for dataset in config["datasets"]:
        captions = merge_section(config, "captions", dataset)
        if "{class}" not in captions["prefix"]:
            alone = (
                "" if captions["describe"] else ", and captions.describe is false: all are alike"
            )
            yield (
                f"captions.prefix = {captions['prefix']!r} ({dataset}) has no {{class}}: no text "
                f"names its class{alone}; CLIP then finds all classes equally likely, and "
                "classifiers.select: clip chooses at random"
            )


def list_run_faults(config: Mapping, runs: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    """List why runs cannot be made, whatever the images are, one per line.

    Args:
        runs: data set, classifier and arm of each run that is asked for.
    """
    for dataset, model, arm in sorted(set(runs)):
        run = read_run(config, dataset, model, arm)
        if run["extra"]:
            for line in _list_quota_faults(merge_section(config, "banks", dataset), run):
                yield f"{line} ({dataset}, {model}, {arm})"


def list_delivery_faults(config: Mapping, delivered: Iterable[str]) -> Iterator[str]:
    """List data sets of which `augmented` would have to deliver more images than the bank gives.

    A number of its own, `augmented.per_class`, is the most that it delivers.
    """
    for dataset in delivered:
        selection = read_delivered(config, dataset)["selection"]
        if selection["section"] == "classifiers":
            for line in _list_quota_faults(merge_section(config, "banks", dataset), selection):
                yield f"{line} ({dataset}, augmented)"


def list_keeping_faults(config: Mapping, chosen: Iterable[str]) -> Iterator[str]:
    """List data sets whose classifier is asked for, but whose runs keep no weights."""
    for dataset in chosen:
        if merge_section(config, "classifiers", dataset)["keep"] == "none":
            yield (
                f"classifiers.keep = none ({dataset}): results/{dataset}/classifier is made of the "
                "weights of a run; must be best or all"
            )


def collect_needs(
    config: Mapping,
    runs: Iterable[tuple[str, str, str]],
    searched: Iterable[str],
    tuned: Iterable[str] = (),
    chosen: Iterable[str] = (),
    delivered: Iterable[str] = (),
) -> dict[str, dict]:
    """Collect what runs, policy searches and fine-tunings need of each data set's images.

    Args:
        runs: see `list_run_faults`.
        searched: data sets whose policies are searched for.
        tuned: data sets on which the U-Net is fine-tuned.
        chosen: data sets of whose runs one is chosen, by validation images.
        delivered: data sets that `augmented` delivers.
    """
    needs = {
        dataset: {"split": merge_section(config, "classifiers", dataset)["split"]}
        for dataset in sorted({dataset for dataset, *_ in runs})
    }
    for dataset, model, arm in sorted(set(runs)):
        run = read_run(config, dataset, model, arm)
        if run["resolution"] is None:
            needs[dataset]["one_size"] = f"{model}, {arm}"
        sections = {"banks": merge_section(config, "banks", dataset), "classifiers": run}
        for section, values in sections.items() if run["extra"] else ():
            _add_quota(needs[dataset], section, values)
    for dataset in searched:
        policies = merge_section(config, "policies", dataset)
        if not policies["file"]:
            needs.setdefault(dataset, {})["folds"] = policies["folds"]
    for dataset in tuned:
        if every := merge_section(config, "unet", dataset)["validation"]["every"]:
            needs.setdefault(dataset, {})["validation"] = every
    for dataset in delivered:
        read, need = read_delivered(config, dataset), needs.setdefault(dataset, {})
        _add_quota(need, read["selection"]["section"], read["selection"])
        if read["resolution"] is None:
            need["one_size"] = "augmented"
    for dataset in chosen:
        needs.setdefault(dataset, {})["chosen"] = _name_validation(config, dataset)
    return needs


def _add_quota(need: dict, section: str, values: Mapping) -> None:
    """Add the number of extra images that a section asks for to what a data set needs."""
    quota = {key: values[key] for key in ("per_real", "per_class")}
    if list(quota.values()) != [None, None]:
        quotas = need.setdefault("quotas", [])
        quotas += [] if [section, quota] in quotas else [[section, quota]]


def list_unmet_needs(dataset: str, needs: Mapping, report: Mapping) -> Iterator[str]:
    """List what a data set's images lack for the runs that are asked for, one per line.

    Args:
        needs: of this data set, by `collect_needs`.
        report: the stage's `images/report.json`.
    """
    splits = report["splits"]
    split, every = needs.get("split"), needs.get("validation")
    there = ", ".join(f"{part['images']:,} {name}" for name, part in splits.items())
    if split and not splits[split]["images"]:
        yield (
            f"classifiers.split = {split} ({dataset}): there is no {split} image ({there}); raise "
            f"images.{split}_fraction, or set classifiers.split to another split"
        )
    if every and not splits["validation"]["images"]:
        yield (
            f"unet.validation.every = {every} ({dataset}): there is no validation image ({there}); "
            "raise images.validation_fraction, or set unet.validation.every to null"
        )
    if needs.get("chosen") and not splits["validation"]["images"]:
        yield (
            f"results/{dataset}/classifier is the run with the highest accuracy on validation "
            f"images, and there is none ({there}); raise images.{needs['chosen']}"
        )
    for section, quota in needs.get("quotas", ()):
        try:
            count_extra(splits["train"]["per_class"], **quota, section=section)
        except ValueError as error:
            yield f"{dataset}: {error}"
    shapes = report.get("shapes") or {"distinct_sizes": 1}
    if needs.get("one_size") and shapes["distinct_sizes"] > 1:
        sizes = ", ".join(f"{n:,} of {size}" for size, n in list(shapes["sizes"].items())[:3])
        yield (
            f"classifiers.resolution = null ({dataset}, {needs['one_size']}): the images have "
            f"{shapes['distinct_sizes']:,} sizes ({sizes} pixels, …), and one is needed; set it to "
            "their side in pixels"
        )
    most = max(splits["train"]["per_class"].values())
    if needs.get("folds", 0) > most:
        yield (
            f"policies.folds = {needs['folds']} ({dataset}); must be <= {most}, the training "
            "images of the largest class; or set the arms faa and random to null in "
            "classifiers.arms"
        )


def _name_validation(config: Mapping, dataset: str) -> str:
    """The key of `images` that says how many validation images a data set has."""
    per_class = LOADERS[config["datasets"][dataset]["loader"]].per_class
    return "validation_per_class" if per_class else "validation_fraction"


def _list_quota_faults(banks: Mapping, run: Mapping) -> Iterator[str]:
    """List where a run uses more extra images than the bank gives."""
    used, there = run["per_real"], banks["per_real"]
    if used is not None and run["per_class"] is not None:
        yield "classifiers.per_real, classifiers.per_class: set one, the other to null"
    elif run["per_class"] is not None:
        if banks["per_class"] is None or run["per_class"] > banks["per_class"]:
            yield (
                f"classifiers.per_class = {run['per_class']}; must be <= banks.per_class = "
                f"{banks['per_class'] or 'null'}"
            )
    elif used is not None and banks["per_class"] is not None:
        yield (
            f"classifiers.per_real = {used}; must be null (all images) with banks.per_class = "
            f"{banks['per_class']}, or set classifiers.per_class"
        )
    elif used is not None and there is not None:
        used, there = (
            value if isinstance(value, Mapping) else {"others": value} for value in (used, there)
        )
        for name in {**used, **there}:
            most = there.get(name, there.get("others"))
            wanted = used.get(name, used.get("others"))
            if most is not None and wanted is not None and wanted > most:
                yield (
                    f"classifiers.per_real = {wanted} of {name}; must be <= banks.per_real = {most}"
                )
