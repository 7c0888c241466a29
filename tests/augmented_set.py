"""An augmented data set of odd names, made by the stage's own script from tables in memory."""

import csv
import io
from pathlib import Path
from types import SimpleNamespace

import augmented as stage
import pyarrow as pa
import raw_data
from mvc.banks.recipes import tabulate_recipes
from mvc.core import image_tables
from PIL import Image

CLASSES = ("Straße/猫", "cat & dog's $HOME", "Cat & dog's $HOME")
SETTINGS = {
    "splits": ["train"],
    "filters": {"clip": None, "oracle": False, "memorised": False},
    "selection": {"section": "classifiers", "per_real": None, "per_class": None, "select": "first"},
    "resolution": None,
    "format": ["folders", "parquet"],
    "seed": 7,
    "coarse": 2,
    "fine": 8,
    "clip": "ViT-L-14-quickgelu/openai",
    "diffusion": "stable-diffusion-v1-5/stable-diffusion-v1-5",
}
N_REAL, N_MADE = 9, 12


def gif() -> bytes:
    buffer = io.BytesIO()
    Image.new("P", (12, 10), 3).save(buffer, format="GIF")
    return buffer.getvalue()


def tables():
    """Nine real images of three classes, twelve synthetic ones, captions, bank, held-out list."""
    labels = [i % 3 for i in range(N_REAL)]
    data = [raw_data.picture(i, suffix="JPEG" if i == 1 else "PNG") for i in range(N_REAL)]
    data[4] = gif()
    train = image_tables.build_table(
        data=data,
        labels=labels,
        class_names=[CLASSES[label] for label in labels],
        image_ids=[f"train/{CLASSES[y]}/photo: {i}?.png" for i, y in enumerate(labels)],
    )
    ids = train["image_id"].to_pylist()
    captions = pa.table({"image_id": ids, "captioner": ["Salesforce/blip2-opt-2.7b"] * N_REAL})
    recipes = [
        {
            "bank_id": i,
            "label": i % 3,
            "base": i % 3,
            "coarse": [{"donor": i % 3 + 3, "first": 0, "last": 1}],
            "fine": [{"donor": i % 3 + 6, "row": 0, "first": 0, "last": 1}],
            "seed": i,
        }
        for i in range(N_MADE)
    ]
    pretrained = [i % 4 == 3 for i in range(N_MADE)]
    kinds = ["pretrained" if p else "finetuned" for p in pretrained]
    made = image_tables.build_table(
        data=[raw_data.picture(100 + i) for i in range(N_MADE)],
        labels=[i % 3 for i in range(N_MADE)],
        class_names=[CLASSES[i % 3] for i in range(N_MADE)],
        image_ids=[f"{kind}/{i:07d}" for i, kind in enumerate(kinds)],
        suffix=".png",
        source_image_id=[ids[i % N_REAL] for i in range(N_MADE)],
        bank_id=pa.array([None if p else i for i, p in enumerate(pretrained)], pa.int64()),
        caption=[f"caption, {i}" for i in range(N_MADE)],
        generator=kinds,
        generator_digest=["abc"] * N_MADE,
        seed=pa.array(range(N_MADE), pa.int64()),
        guidance=["text 7.5"] * N_MADE,
        steps=pa.array([25] * N_MADE, pa.int32()),
        clip_probability=pa.array([0.5] * N_MADE, pa.float32()),
    )
    held = pa.table({"image_id": ["test/1"], "sha256": ["f" * 64], "split": ["test"]})
    held_out = {
        split: image_tables.build_table(
            data=[raw_data.picture(number)],
            labels=[2],
            class_names=[CLASSES[2]],
            image_ids=[f"{split}/0"],
        )
        for number, split in enumerate(("validation", "test"), 600)
    }
    return dict(
        **held_out,
        images=train,
        captions=captions,
        bank=tabulate_recipes(recipes, [0.5] * N_MADE),
        made=made,
        held_out=held,
    )


def make_folder(
    root: Path, *, splits=(0, 5, N_MADE), more=(), settings=None, oracle=None, **changes
) -> Path:
    """Run the stage's script on the tables, the synthetic ones split into shards."""
    root.mkdir(parents=True, exist_ok=True)
    parts = tables() | changes
    made = parts.pop("made")
    settings = SETTINGS | {"splits": ["train", *more]} | (settings or {})
    given = {name: str(root / f"{name}.parquet") for name in parts}
    for name, table in parts.items():
        image_tables.write(table, given[name])
    given["synthetic"] = []
    for first, last in zip(splits, splits[1:], strict=False):
        given["synthetic"].append(str(root / f"{first}.parquet"))
        image_tables.write(made.slice(first, last - first), given["synthetic"][-1])
    stage.main(
        SimpleNamespace(
            input=SimpleNamespace(**given, oracle=oracle),
            output=[str(root / "augmented")],
            log=[str(root / "log")],
            params=SimpleNamespace(cfg=settings),
            threads=1,
            wildcards=SimpleNamespace(dataset="pets"),
        )
    )
    return root / "augmented"


def rows(path: Path) -> list[dict]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
