"""Data set card of an augmented data set: the README.md, below its front matter."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import pyarrow as pa

from mvc.augmented.collect import Rows, summarise_classes
from mvc.augmented.croissant import BIASES, LIMITS, PERSONAL, USE
from mvc.augmented.filters import FILTERS
from mvc.augmented.prepared import View
from mvc.core.markdown import format_table
from mvc.models.licences import find_licence

TEXT = """# {name}, augmented

{real:,} real training images of `{name}` and {synthetic:,} synthetic ones, made by Mixing Visual
Concepts (MVC): Stable Diffusion was conditioned on mixed text embeddings of the class's captions,
or, where `bank_id` is empty, on a caption that was not mixed. No synthetic image was made from a
validation or test image. {held_out}

{counts}

## Which synthetic images are here
{selection}

{choice}

{copies}
`provenance.csv` has a row for every synthetic image, those that are left out at its end, and says
of each why.

## Load it
```python
import os, datasets, torchvision
folder = os.path.abspath(".")  # this folder
{load}```
{converted}
`ImageFolder` numbers classes by the names of their folders, as timm does without regard to case,
the Parquet files and shards as the data set does: `classes.csv` has both. A file's name says
whether its image is real or synthetic, and its number is its row in the Parquet files and in
`provenance.csv`. A folder's name is its class's; characters that some system or reader trips over
are written as %XX. Every file shows the very pixels that the classifiers of the project see,
{shape}, {channels}: real files that do so already keep their bytes, all others are PNG.

## How the synthetic images were made
{generators}

| setting | value |
|---|---|
{settings}

## Columns
`image`, `label`, `class_name`, `image_id`, `sha256` (of the original file), `original` (the bytes
of a file that was converted, else null; of a synthetic image only if its pixels changed),
`synthetic`, and for synthetic images, null for real ones:

| column | meaning |
|---|---|
| `source_image_id` | the real image that conditioned it, or whose caption it shows |
| `bank_id` | its mixed embedding, a row of the bank; none where the caption was not mixed |
| `base_image_id`, `donor_image_ids` | the images whose captions were mixed, and into which one |
| `caption` | the text of the base |
| `generator`, `generator_digest` | `finetuned` or `pretrained`, and a digest of its weights |
| `seed`, `guidance`, `steps` | seed of the noise; guidance mode and scale; DPM-Solver++ steps |
| `clip_probability` | probability of the class, as CLIP sees the image |
| `constant` | whether all its pixels have the same colour: it shows nothing |
| `oracle_class` | the class that a classifier of real images sees; null where it was not asked |
| `copy_of_training_image` | a training image that it is a near copy of: it may be memorised |
| `copy_of_held_out_image` | a validation or test image that it is a near copy of: left out |
| `reason` | why it is here, or not |

## Intended use, and limits
{use}

{limits} {biases} Personal information: {personal}

Every synthetic PNG says so in its own metadata, with its row of this table (XMP;
`Iptc4xmpExt:DigitalSourceType` is `trainedAlgorithmicMedia`), so that a file that leaves this
folder can still be told from a photograph.

## Licences
{licences}

The real images stay under the terms of their source. The synthetic ones are subject to the terms of
the models and may carry over what the real images show: check both before you pass this data set
on, and write the licence into the front matter above.
"""


QUOTAS = ("per_real", "per_class")
LOADING = {
    "folders": """\
images = torchvision.datasets.ImageFolder(os.path.join(folder, "train"))
""",
    "parquet": """\
table = datasets.load_dataset(folder, split="train")  # pictures, labels, provenance
real = table.filter(lambda synthetic: not synthetic, input_columns="synthetic")
""",
    "webdataset": """\
shards = datasets.load_dataset("webdataset", data_files=os.path.join(folder, "shards/train-*.tar"))
""",
}
CONVERTED = """\
A sample of the shards is `png`, `cls` (the label) and `json`, of which `provenance` is JSON again.
"""


def format_card(
    rows: Rows,
    held_out: Mapping[str, int],
    *,
    name: str,
    formats: Sequence[str],
    captioners: Collection[str],
    settings: Mapping,
    view: View,
    choice: Mapping,
) -> str:
    """Format the card.

    Args:
        held_out: number of images of each held-out split that is in the data set.
        name: of the data set.
        formats: that are written, see `export.FORMATS`.
        captioners: sources of the captions: a model's name, or the user's file.
        settings: `coarse`, `fine` (edits of a mixture), `seed`, `clip`, `diffusion`, `selection`,
            `filters`.
        view: how classifiers see the images.
        choice: see `filters.summarise_choice`.
    """
    synthetic = rows.table["synthetic"].to_pylist()
    counts = " and ".join(f"{n:,} of the split {split}" for split, n in held_out.items())
    return TEXT.format(
        held_out=f"Beside the training images there are real ones, {counts}."
        if held_out
        else "None of those is in the data set.",
        name=name,
        real=synthetic.count(False),
        synthetic=synthetic.count(True),
        counts=_format_counts(rows),
        selection=_describe_selection(settings),
        copies=_describe_copies(choice["copies_of_training_images"]),
        choice=_format_choice(choice),
        shape=f"{view.size} x {view.size} pixels" if view.size else "in their own size",
        channels="in one channel" if view.grayscale else "in three channels",
        generators=_format_generators(rows.table),
        load="".join(LOADING[kind] for kind in LOADING if kind in formats),
        converted=CONVERTED if "webdataset" in formats else "",
        use=USE,
        limits=LIMITS,
        biases=BIASES,
        personal=PERSONAL,
        licences=_format_licences(captioners, settings),
        settings=_format_settings(captioners, settings),
    )


def _format_settings(captioners: Collection[str], settings: Mapping) -> str:
    used = {
        "captions": ", ".join(sorted(captioners)),
        "text encoder": settings["clip"],
        "diffusion model": settings["diffusion"],
        "edits of a mixture": f"{settings['coarse']} coarse, {settings['fine']} fine",
        "root seed": settings["seed"],
    }
    return "\n".join(f"| {key} | {_escape(str(value))} |" for key, value in used.items())


def _format_counts(rows: Rows) -> str:
    lines = ["| class | folder | real | synthetic |", "|---|---|---|---|"]
    for row in summarise_classes(rows):
        cells = (row["class_name"], row["folder"], f"{row['real']:,}", f"{row['synthetic']:,}")
        lines.append(f"| {' | '.join(map(_escape, cells))} |")
    return "\n".join(lines)


def _describe_selection(settings: Mapping) -> str:
    """Say how many images of a class are wanted, which, and whether classifiers were so trained."""
    selection = settings["selection"]
    section, filters = selection["section"], any(settings["filters"].values())
    wanted = [f"`{section}.{key}: {selection[key]}`" for key in QUOTAS if selection[key]]
    first = "CLIP is surest of" if selection["select"] == "clip" else "come first"
    those = f"Those of each class that {first} ({wanted[0]})" if wanted else "All"
    those += ", of those that pass the filters" if filters else ""
    if filters or section != "classifiers":
        return f"{those}. The accuracies of the project's tables are of another choice."
    return f"{those}: the images that the classifiers of the project's tables are trained on."


def _describe_copies(number: int) -> str:
    found = f"{number:,} of them look" if number else "None of them looks"
    return f"{found} like a near copy of a training image (`copy_of_training_image`)."


def _format_choice(choice: Mapping) -> str:
    rows = [("made", choice["made"])]
    rows += [(f"left out: {FILTERS[name]}", n) for name, n in choice["dropped"].items()]
    rows += [("here", choice["delivered"])]
    return format_table(["synthetic images", "number"], [(text, f"{n:,}") for text, n in rows])


def _format_generators(table: pa.Table) -> str:
    columns = ("generator", "guidance", "steps", "generator_digest")
    lines = ["| images | generator | guidance | steps | weights |", "|---|---|---|---|---|"]
    generated = table.select(columns).filter(table["synthetic"]).to_pylist()
    for kind, count in sorted(Counter(tuple(row[c] for c in columns) for row in generated).items()):
        lines.append(f"| {count:,} | {' | '.join(_escape(str(value)) for value in kind)} |")
    return "\n".join(lines)


def _format_licences(captioners: Collection[str], settings: Mapping) -> str:
    models = {f"captions: {name}": name for name in sorted(captioners)}
    models |= {f"text encoder, filter: {settings['clip']}": settings["clip"]}
    models |= {f"diffusion model: {settings['diffusion']}": settings["diffusion"]}
    rows = [("real images", "unknown to the project: that of their source")]
    rows += [(use, find_licence(name) or "unknown") for use, name in models.items()]
    return format_table(["what", "licence"], rows, left=2)


def _escape(text: str) -> str:
    """Escape text for a table's cell: nothing in it ends the cell or becomes markup."""
    for character in "\\`*_[]<>|#":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())
