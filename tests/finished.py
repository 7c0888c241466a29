"""The files of a finished run, written without running it: any number of classes, any names."""

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import yaml
from mvc.banks.recipes import tabulate_recipes
from mvc.config.expand import expand_config
from mvc.config.reported import list_needed_files
from mvc.core import image_tables
from mvc.core.atomic import write_text
from PIL import Image
from project_tree import REPO
from records import make_measured

ODD = ("<b>&\"'/🐈", "</script><script>alert(1)</script>", "{{ 7 * 7 }}", "../up", " ‮rtl ")
PER_CLASS = 3  # real images
PER_REAL = 4  # synthetic images
SIDE = 12  # pixels


def make_config(dataset: str = "mine") -> dict:
    """The default configuration with one data set of Table 1, two seeds."""
    config = yaml.safe_load((REPO / "config/config.yaml").read_text(encoding="utf-8"))
    config["datasets"] = {dataset: {"loader": "imagefolder", "path": "photos"}}
    config["models"]["clip"] = str(REPO / "resources/miniature/clip")
    config["classifiers"] |= {"seeds": [0, 1], "per_real": 1}
    return expand_config(config)


def name_classes(number: int) -> list[str]:
    """Names of classes, odd ones first."""
    return [*ODD, *(f"class {i}" for i in range(number))][:number]


def draw_png(seed: int, *, grey: bool = False, side: int = SIDE) -> bytes:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (side, side, 1 if grey else 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(np.broadcast_to(pixels, (side, side, 3))).save(file, format="PNG")
    return file.getvalue()


def write_run(config: dict, names: list[str], *, grey: bool = False, side: int = SIDE) -> None:
    """Write all that the report needs below `results/` of the working directory.

    The first synthetic image is the first real one, pixel by pixel.
    """
    (dataset,) = config["datasets"]
    folder = Path("results") / dataset
    folder.mkdir(parents=True)
    labels = [label for label in range(len(names)) for _ in range(PER_CLASS)]
    pictures = [draw_png(i, grey=grey, side=side) for i in range(len(labels))]
    ids = [f"photos/{names[label]}/{i}.png" for i, label in enumerate(labels)]
    shown = {"labels": labels, "class_names": [names[y] for y in labels], "image_ids": ids}
    (folder / "images").mkdir()
    image_tables.write(
        image_tables.build_table(data=pictures, **shown), folder / "images/train.parquet"
    )
    write_report(folder, names)
    prompts = [f"This is an image of {names[y]}, number {i}" for i, y in enumerate(labels)]
    captions = pa.table({"image_id": ids, "label": labels, "prompt": prompts})
    image_tables.write(captions, folder / "captions.parquet")
    write_synthetic(config, folder, names, ids, pictures)
    write_runs(config, names)
    (folder / "unet").mkdir()
    losses = "\n".join(f"{i},{1 / i}" for i in range(1, 60))
    write_text(f"step,loss\n{losses}\n", folder / "unet/loss.csv")


def write_report(folder: Path, names: list[str]) -> None:
    none = {"count": 0, "first": []}
    counts = dict.fromkeys(names, PER_CLASS)
    split = {"images": PER_CLASS * len(names), "per_class": counts}
    report = {
        "loader": "imagefolder",
        "found": 999,
        "classes": names,
        "copies_dropped": {"of_test": {"count": 1, "first": []}}
        | {"repeated": none, "contradictory": none},
        "near_copies": {"train, test": {"count": 2, "first": []}},
        "converted": {"orientation": 3},
        "splits": {"train": split, "test": split, "validation": split},
        "warnings": ["the folder <i>photos</i> holds two layouts"],
    }
    write_text(json.dumps(report), folder / "images/report.json")
    write_text("[]", folder / "notices.json")


def write_synthetic(config, folder: Path, names, ids, pictures) -> None:
    rng, rows, data = np.random.default_rng(1), [], []
    for i in range(PER_REAL * len(ids)):
        source = i // PER_REAL
        label = source // PER_CLASS
        own = [label * PER_CLASS + j for j in range(PER_CLASS)]
        donor = own[(source + 1) % PER_CLASS]
        coarse = [{"donor": donor, "first": 2, "last": 4}]
        fine = [{"donor": own[(source + 2) % PER_CLASS], "row": 1, "first": 0, "last": 9}]
        rows.append({"bank_id": i, "label": label, "base": source, "coarse": coarse, "fine": fine})
        data.append(pictures[0] if i == 0 else draw_png(10_000 + i, side=16))
    image_tables.write(
        tabulate_recipes([{**row, "seed": 0} for row in rows], [0.5] * len(rows)),
        folder / "bank.parquet",
    )
    labels = [row["label"] for row in rows]
    table = image_tables.build_table(
        data=data,
        labels=labels,
        class_names=[names[y] for y in labels],
        image_ids=[f"finetuned/{i:07d}" for i in range(len(rows))],
        source_image_id=[ids[row["base"]] for row in rows],
        bank_id=[row["bank_id"] for row in rows],
        caption=[f"This is an image of {names[y]}" for y in labels],
        seed=[2**62 + i for i in range(len(rows))],
        guidance=["text 2.0"] * len(rows),
        steps=[20] * len(rows),
        clip_probability=rng.random(len(rows)).tolist(),
    )
    shards = [file for file in list_needed_files(config) if "/synthetic/" in file]
    for number, file in enumerate(shards):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        part = -(-len(table) // len(shards))
        image_tables.write(table.slice(number * part, part), file)


def write_runs(config: dict, names: list[str]) -> None:
    """A record for each run of the table; arms with synthetic images are three points better."""
    for file in list_needed_files(config):
        if "/classifiers/" not in file:
            continue
        _, dataset, _, model, arm, seed = Path(file).with_suffix("").parts
        accuracy = 60 + 3 * ("syn" in arm) + 0.5 * int(seed) * (1 + ("syn" in arm))
        record = {
            "dataset": dataset,
            "model": model,
            "arm": arm,
            "seed": int(seed),
            "split": "test",
            "n_train": PER_CLASS * len(names),
            "n_extra": 9 * ("syn" in arm),
            "steps": 600,
            "settings": arm,
            "per_class": dict.fromkeys(names, accuracy),
            "warnings": [],
        }
        record |= make_measured(accuracy, 400, names)
        write_text(json.dumps(record), file)
