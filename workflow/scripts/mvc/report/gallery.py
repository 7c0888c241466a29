"""The gallery of a data set: its tiles, and what a click on one shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mvc.core import image_tables
from mvc.core.image_tables import read_class_names
from mvc.report import selection, thumbnails
from mvc.report.mixtures import (
    describe_mixture,
    list_captions_used,
    load_tokenizer,
    split_tokens,
)
from mvc.report.thumbnails import Thumbnail
from mvc.synthetic.choice import choose_rows

KINDS = {
    "real": "real",
    "finetuned": "synthetic, fine-tuned",
    "mixed": "synthetic, both generators",
    "pretrained": "synthetic, pre-trained",
}
LABELS = ["image_id", "label", "class_name"]
PROVENANCE = ["source_image_id", "bank_id", "caption", "seed", "guidance", "steps"]
PROVENANCE += ["clip_probability"]


@dataclass
class Gallery:
    """What the page shows: tiles by class, details by image, tokens of captions, pictures.

    `pictures` are files by their name in the data set's folder.
    """

    classes: dict[int, str]
    tiles: dict[int, list[dict]] = field(default_factory=dict)
    details: dict[str, dict] = field(default_factory=dict)
    captions: dict[int, list[str]] = field(default_factory=dict)
    pictures: dict[str, bytes] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    per_class: int = 0
    compared: int = 0
    train: int = 0
    grey: bool = False

    @property
    def kinds(self) -> dict[str, str]:
        return {kind: KINDS[kind] for kind in self.counts}


def build_gallery(
    train: str,
    shards: Mapping[str, Sequence[str]],
    *,
    captions: str | None,
    bank: str | None,
    clip: str,
    used: str,
    selection_: Mapping,
) -> Gallery:
    """Build the gallery of a data set.

    Args:
        train: Parquet file of the training images.
        shards: files of each generator whose images are there.
        captions, bank: captions of the training images; recipes. None leaves mixtures out.
        clip: name of the CLIP model whose tokens captions have.
        used: generator whose images classifiers select by `selection_`.
        selection_: how they do, see `config.selection.read_selection`.
    """
    real = image_tables.read(train, LABELS)
    gallery = Gallery(read_class_names(real), train=len(real))
    gallery.per_class = selection.count_shown(len(gallery.classes), 1 + len(shards))
    sets = {kind: _read_shown(files, gallery.per_class) for kind, files in shards.items()}
    rows = {image_id: row for row, image_id in enumerate(real["image_id"].to_pylist())}
    shown = selection.pick_shown(real, gallery.per_class)
    needed = {rows[source] for table, picked in sets.values() for source in _sources(table, picked)}
    compared = selection.pick_compared(real["label"].to_pylist(), [*shown, *needed])
    pictures = thumbnails.read_thumbnails([train], compared)
    gallery.compared = len(compared)
    gallery.grey = all(thumbnail.grey for thumbnail in pictures.values())
    _add_real(gallery, real, shown, pictures)
    for kind, (table, picked) in sets.items():
        marks = None
        if kind == used:
            marks = choose_rows(table, real["label"].to_numpy(), gallery.classes, **selection_)
        made = thumbnails.read_thumbnails(shards[kind], picked, grey=gallery.grey)
        _add_synthetic(gallery, kind, (table, picked, made, marks), (real, rows, pictures))
    if captions and bank:
        _add_mixtures(gallery, captions, bank, clip)
    return gallery


def _read_shown(files: Sequence[str], most: int) -> tuple[pa.Table, list[int]]:
    there = set(pq.read_schema(files[0]).names)
    table = image_tables.read(files, [c for c in [*LABELS, *PROVENANCE] if c in there])
    return table, selection.pick_shown(table, most)


def _sources(table: pa.Table, picked: Sequence[int]) -> list[str]:
    return table["source_image_id"].take(picked).to_pylist()


def _put(gallery: Gallery, kind: str, row: int, thumbnail: Thumbnail) -> str:
    """Put a picture among the files of the page; return its name."""
    name = f"{kind}-{row:06d}{thumbnail.suffix}"
    gallery.pictures[name] = thumbnail.data
    return name


def _add_real(
    gallery: Gallery, real: pa.Table, shown: Sequence[int], pictures: Mapping[int, Thumbnail]
) -> None:
    gallery.counts["real"] = len(real)
    for row in shown:
        record = real.slice(row, 1).to_pylist()[0]
        tile = {"id": record["image_id"], "kind": "real", "clip": None, "kept": None}
        tile["picture"] = _put(gallery, "real", row, pictures[row])
        gallery.tiles.setdefault(record["label"], []).append(tile)
        gallery.details[tile["id"]] = {"class": record["class_name"]}


def _add_synthetic(gallery: Gallery, kind: str, made: tuple, originals: tuple) -> None:
    """Add a generator's images.

    Args:
        made: table, rows that are shown, their thumbnails, marks of `choose_rows` or None.
        originals: the training images: table, rows by image id, thumbnails.
    """
    (table, picked, shown, marks), (real, rows, pictures) = made, originals
    gallery.counts[kind] = len(table)
    labels = table["label"].to_pylist()
    nearest = thumbnails.find_nearest(
        shown, {row: labels[row] for row in picked}, pictures, real["label"].to_pylist()
    )
    ids = real["image_id"].to_pylist()
    for row, record in zip(picked, table.take(picked).to_pylist(), strict=True):
        tile = {"id": record["image_id"], "kind": kind, "clip": record.get("clip_probability")}
        tile["picture"] = _put(gallery, kind, row, shown[row])
        mark = marks[row] if marks else None
        tile["kept"] = mark and mark.kept
        gallery.tiles.setdefault(record["label"], []).append(tile)
        source = rows[record["source_image_id"]]
        near, distance = nearest.get(row, (None, None))
        gallery.details[tile["id"]] = {
            "class": record["class_name"],
            "why": mark.reason if mark else "",
            "source": [_put(gallery, "real", source, pictures[source]), ids[source]],
            "near": near is not None
            and [_put(gallery, "real", near, pictures[near]), ids[near], distance],
            "caption": record["caption"],
            "bank": record["bank_id"],
            **{key: str(record[key]) for key in ("seed", "guidance", "steps")},
        }


def _add_mixtures(gallery: Gallery, captions: str, bank: str, clip: str) -> None:
    """Say of each image's caption which parts came from which one."""
    prompts = image_tables.read(captions, ["prompt"])["prompt"].to_pylist()
    tokenizer = load_tokenizer(clip)
    wanted = {
        detail["bank"] for detail in gallery.details.values() if detail.get("bank") is not None
    }
    recipes = {row["bank_id"]: row for row in image_tables.read(bank).to_pylist()}
    recipes = {number: recipes[number] for number in wanted if number in recipes}
    mixtures = {number: describe_mixture(recipe) for number, recipe in recipes.items()}
    used = {row for mixture in mixtures.values() for row in list_captions_used(mixture)}
    gallery.captions = {row: split_tokens(prompts[row], tokenizer) for row in sorted(used)}
    for detail in gallery.details.values():
        if mixture := mixtures.get(detail.pop("bank", None)):
            detail["mix"] = mixture


def write_pictures(gallery: Gallery, folder: Path) -> None:
    """Write the pictures of a gallery."""
    folder.mkdir(parents=True)
    for name, data in gallery.pictures.items():
        (folder / name).write_bytes(data)


def pick_strip(gallery: Gallery, most: int = 8) -> list[dict]:
    """A few tiles for the first page: a real and a synthetic one of the first classes."""
    strip = []
    for tiles in list(gallery.tiles.values())[: most // 2]:
        kinds = {}
        for tile in tiles:
            kinds.setdefault(tile["kind"], tile)
        strip += list(kinds.values())[:2]
    return strip
