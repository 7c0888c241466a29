"""Quality of every synthetic set as one table, with real images as the yardstick."""

from collections.abc import Sequence

import pandas as pd

from mvc.core import markdown
from mvc.core.markdown import format_count, format_number

SETS = {
    "real": "real images",
    "finetuned": "fine-tuned (MVC)",
    "pretrained": "pre-trained",
    "real_vae": "real through the VAE",
}
LIKENESS = {  # column: heading, decimals
    "agreement": ("label agreement %", 1),
    "frechet": ("Fréchet distance", 3),
    "precision": ("precision", 2),
    "recall": ("recall", 2),
    "vendi_relative": ("diversity (Vendi)", 2),
    "spread_relative": ("diversity (distance)", 2),
}
NEARNESS = {
    "nearest_features": ("distance, CLIP", 2),
    "nearest_pixels": ("distance, pixels", 2),
    "near_features": ("near copies %, CLIP", 1),
    "near_pixels": ("near copies %, pixels", 1),
    "exact_copies": ("exact copies", 0),
    "repeats": ("repeats", 0),
}
LEGEND = """\
- Real images: {yardstick}; none of them was used for training. They are the yardstick.
- Label agreement (GAN-test accuracy): images in which an oracle sees the class they were made for.
  {oracle}
- Fréchet distance, precision and recall: in CLIP's image features, {compared} images of each set
  against as many real images that are neither test nor yardstick images. Diversity: within a class,
  as a multiple of that of as many of those real images; far above 1 it is another domain's.
- Distance: the median, over images, of the distance to the nearest training image of the class;
  1 is the training images' own distance to each other. Near copies: nearer than all but 1 % of
  the training images are to each other. Exact copies: equal to a training image pixel by pixel;
  repeats: equal to another image of the set.
"""


def list_rows(results: Sequence[dict]) -> pd.DataFrame:
    """List the sets of images of each data set: the yardstick first, then generators in order.

    Args:
        results: records of the stage quality, one for each data set and generator.

    Raises:
        ValueError: no results.
    """
    if not results:
        raise ValueError("no measured sets to put in a table")
    lines = []
    for result in results:
        known = {(line["dataset"], line["set"]) for line in lines}
        for name, key in (("real", "real"), (result["generator"], "synthetic")):
            if result[key] and (result["dataset"], name) not in known:
                lines.append(_make_row(result, name, key))
    order = list(dict.fromkeys(result["dataset"] for result in results))
    lines.sort(key=lambda line: (order.index(line["dataset"]), line["set"] != "real"))
    return pd.DataFrame(lines)


def format_quality(results: Sequence[dict]) -> str:
    """Format likeness and copies of every set, then label agreement per class."""
    table = list_rows(results)
    parts = ["# Quality of the synthetic images"]
    for dataset, rows in table.groupby("dataset", sort=False):
        measured = [result for result in results if result["dataset"] == dataset]
        parts += [f"## {dataset}", _format_table(rows, LIKENESS), _format_table(rows, NEARNESS)]
        parts += [_format_legend(measured), *_list_notes(measured)]
        parts += ["Label agreement in %, per class:", _format_per_class(measured)]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _make_row(result: dict, name: str, key: str) -> dict:
    measured = {k: v for k, v in result[key].items() if k not in ("per_class", "note")}
    classes = {f"class: {k}": v for k, v in result[key]["per_class"].items()}
    oracle = {
        "oracle_split": result["oracle"]["split"],
        "oracle_n_train": result["oracle"]["n_train"],
    }
    return {"dataset": result["dataset"], "set": name, **measured, **oracle, **classes}


def _format_table(rows: pd.DataFrame, wanted: dict[str, tuple[str, int]]) -> str:
    headings = ["images", "n", *(heading for heading, _ in wanted.values())]
    lines = []
    for line in rows.to_dict("records"):
        values = [format_number(_to_float(line[k]), digits) for k, (_, digits) in wanted.items()]
        lines.append([SETS.get(line["set"], line["set"]), format_count(line["n"]), *values])
    return markdown.format_table(headings, lines)


def _to_float(value: float | int | None) -> float:
    return float("nan") if value is None else float(value)


def _format_legend(results: Sequence[dict]) -> str:
    result = results[0]
    oracle, real = result["oracle"], result["real"]
    n_train = format_count(oracle["n_train"])
    trained = f"It was trained on {n_train} real images of the {oracle['split']} split"
    if oracle["split"] == "train":
        trained += ", since there is no oracle split: the images that the generator saw too"
    if real:
        trained += f"; it is right on {format_number(real['agreement'], 1)} % of the yardstick"
    yardstick = (
        f"{format_count(real['n'])} of the {result['real_split']} split" if real else "none left"
    )
    sizes = {r["synthetic"]["n_compared"] for r in results}
    compared = " or ".join(format_count(n) for n in sorted(sizes))
    return LEGEND.format(yardstick=yardstick, oracle=trained + ".", compared=compared)


def _list_notes(results: Sequence[dict]) -> list[str]:
    notes = dict.fromkeys(
        r[key]["note"] for r in results for key in ("synthetic", "real") if r[key]
    )
    return [f"Note: {note}." for note in notes if note]


def _format_per_class(results: Sequence[dict]) -> str:
    sets = {"real": results[0]["real"]} if results[0]["real"] else {}
    sets |= {result["generator"]: result["synthetic"] for result in results}
    names = dict.fromkeys(name for measured in sets.values() for name in measured["per_class"])
    lines = [
        [name, *(format_number(m["per_class"].get(name, float("nan")), 1) for m in sets.values())]
        for name in names
    ]
    return markdown.format_table(["class", *(SETS.get(name, name) for name in sets)], lines)
