"""Model card of a data set's classifier: the README.md of its folder."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from mvc.classifiers.choice import Cell, get_cell
from mvc.classifiers.kept import Description
from mvc.classifiers.measures import find_validation
from mvc.core.markdown import escape, format_bounds, format_number, format_table
from mvc.training.networks import PRETRAINED
from mvc.training.wide_resnet import NAME

FRONT = """\
---
library_name: timm
pipeline_tag: image-classification
license: other
license_name: see-this-card
tags:
- image-classification
- timm
---
"""
TEXT = """\
# Classifier of {dataset}

`{network}` for {count} classes on images of {width} x {height} pixels, {start}. It was trained on
{n_train:,} real images{extra}, in a run of Mixing Visual Concepts (MVC): classifier `{model}`, arm
`{arm}`, seed {seed}, {steps:,} steps.

| measured | accuracy in % | images | interval |
|---|---|---|---|
{measured}

{again}

## How it was chosen
Of {runs}, those of the data set's tables, it has the highest accuracy on the validation images;
test images had no part in the choice. {rivals} The validation accuracy of the best of several is
too high; {unbiased}

{table}

Mean over seeds of each classifier and arm; the chosen one is marked.

## Use it
```sh
python workflow/scripts/predict.py {folder} new/*.jpg --output predictions.csv
```
reads photographs as the evaluation did (any format of the data set's loader, orientation tags,
16 bits, `fit: {fit}`), so that it gets the accuracy above on the same images on the same kind of
machine. In Python:
```python
import timm
{lines}net = timm.create_model("local-dir:{folder}", pretrained=True).eval()
transform = timm.data.create_transform(**timm.data.resolve_model_data_config(net))
```
{honest} `config.json` has the classes' names in the order of the outputs (`label_names`).

## Limits
- It names one of its {count} classes for any picture. The probabilities are the network's softmax:
  they are not calibrated.
- It was measured on images of the same source as those it was trained on; nothing is known of
  others. Look at the recall of each class in `{record}` before you rely on one.{grey}
{warnings}
## Licence
The project gives none: the weights may carry over what the training images show, and are subject to
the terms of their source{terms}. Check them before you pass this folder on.
"""
OWN = """\
import sys; sys.path.insert(0, "workflow/scripts")  # not needed where mvc is installed
import mvc.classifiers.registered  # tells timm of this architecture
"""
ONLY_HERE = (
    "The Wide-ResNets are this project's own, which timm does not have: the folder opens only "
    "where `mvc` can be imported. "
)
NEARLY = (
    "timm's transform makes the picture small first and square then, so that its pixels differ a "
    "little from those of `predict.py`{more}."
)

GREY = "\n- All training images are grey: a photograph in colour is something it never saw."


def format_card(
    records: Sequence[Mapping],
    chosen: int,
    described: Description,
    *,
    fit: str,
    bounds: Mapping[str, tuple[float, float]],
    again: str,
    rivals: int,
    paths: Mapping[str, str],
    digits: int,
) -> str:
    """Format the card.

    Args:
        records: of all runs that were chosen from, the place of the chosen one among them.
        fit: see `image_tables.get_fit`.
        bounds: interval of the accuracy on each split, in percent.
        again: what the folder, opened again, got.
        rivals: see `count_rivals`.
        paths: of the `folder` and of the chosen run's `record`.
    """
    record = records[chosen]
    height, width = described.size
    return FRONT + TEXT.format(
        **{key: record[key] for key in ("n_train", "model", "arm", "seed", "steps")},
        dataset=record["dataset"],
        network=described.network,
        count=len(described.classes),
        width=width,
        height=height,
        start=_describe_start(described.weights),
        extra=f" and {record['n_extra']:,} {_name_extra(record)}" if record["extra"] else "",
        measured=_format_measured(record, bounds, digits),
        again=again,
        runs="one run" if len(records) == 1 else f"{len(records):,} runs",
        rivals=_describe_rivals(rivals, find_validation(record).images),
        unbiased="the test accuracy is that of images it was not chosen on."
        if record["split"] == "test"
        else "no test accuracy was measured (`classifiers.split: validation`).",
        table=_format_cells(records, get_cell(record), digits),
        fit=fit,
        grey=GREY if described.grayscale else "",
        warnings="".join(f"- {escape(line)}.\n" for line in record["warnings"]),
        terms=_describe_terms(record, described),
        **_describe_timm(described, fit),
        **paths,
    )


def _describe_start(weights: str | None) -> str:
    if weights is None:
        return "trained from random weights"
    if weights == PRETRAINED:
        return "started from the weights that timm publishes"
    return f"started from the weights `{weights}`"


def _describe_timm(described: Description, fit: str) -> dict[str, str]:
    more = "; it pads with the mean colour, `predict.py` with black" if fit == "pad" else ""
    nearly = NEARLY.format(more=more)
    if NAME.fullmatch(described.network):
        return {"lines": OWN, "honest": ONLY_HERE + nearly}
    return {"lines": "", "honest": nearly}


def _name_extra(record: Mapping) -> str:
    names = {"real": "further real ones", "real_vae": "further real ones through the VAE"}
    names["train_vae"] = "of them through the VAE"
    return names.get(record["extra"], f"synthetic ones (`{record['extra']}`)")


def _format_measured(record: Mapping, bounds: Mapping, digits: int) -> str:
    validation = find_validation(record)
    rows = {"validation": validation.accuracy} | {record["split"]: record["accuracy"]}
    images = {"validation": validation.images} | {record["split"]: record["n_test"]}
    return "\n".join(
        f"| {split} | {format_number(accuracy, digits)} | {images[split]:,} | "
        f"{format_bounds(*bounds[split], digits)} |"
        for split, accuracy in rows.items()
    )


def _describe_rivals(rivals: int, images: int) -> str:
    if not rivals:
        return f"No other run lies within its interval on those {images:,} images."
    others = "1 other run lies" if rivals == 1 else f"{rivals:,} other runs lie"
    return (
        f"{others} within its interval on those {images:,} images: they cannot be told apart, and "
        "which of them is here is chance."
    )


def _format_cells(records: Sequence[Mapping], chosen: Cell, digits: int) -> str:
    cells: dict[Cell, list[Mapping]] = {}
    for record in records:
        cells.setdefault(get_cell(record), []).append(record)
    split = records[0]["split"]
    rows = []
    for cell, runs in cells.items():
        means = [fmean(find_validation(each).accuracy for each in runs)]
        means += [fmean(each["accuracy"] for each in runs)] if split == "test" else []
        mark = "* " if cell == chosen else ""
        numbers = [format_number(mean, digits) for mean in means]
        rows.append([f"{mark}{cell[0]}", cell[1], str(len(runs)), *numbers])
    headings = ["classifier", "arm", "seeds", "validation", *(["test"] if split == "test" else [])]
    return format_table(headings, rows, left=2)


def _describe_terms(record: Mapping, described: Description) -> str:
    terms = ", of the weights it started from" if described.weights else ""
    generated = record["extra"] and record["extra"] != "real"
    return terms + (", and of the models that made the synthetic images" if generated else "")
