"""Building a data set in a test, and reading the result."""

import io
from pathlib import Path
from types import SimpleNamespace

import images as images_script
import numpy as np
from mvc.images.build import Built, build_images
from mvc.images.items import Item
from mvc.images.splits import SPLITS
from PIL import Image
from raw_data import SHARES


def build(tmp_path: Path, loader: str, path: Path | None, cfg: dict = SHARES, **changes) -> Built:
    """Build the data set `mine` at a path; `changes` are laid over its settings."""
    settings = {**cfg, "loader": loader, "path": path and str(path), **changes}
    return build_images(settings, name="mine", data=tmp_path / "data")


def count_splits(built: Built) -> dict[str, int]:
    """The number of images of each split that has any."""
    return {split: len(items) for split, items in built.splits.items() if items}


def list_items(built: Built) -> list[Item]:
    """The items of all splits, by name."""
    items = (item for chosen in built.splits.values() for item in chosen)
    return sorted(items, key=lambda item: item.image_id)


def label_items(built: Built) -> dict[str, int]:
    """The label of each image."""
    return {item.image_id: built.classes.index(item.class_name) for item in list_items(built)}


def decode(item: Item) -> np.ndarray:
    """The pixels of an item."""
    return np.asarray(Image.open(io.BytesIO(item.read())))


def run_script(folder, cfg, threads=1):
    """Run the stage into `folder`; return the paths of its outputs by name."""
    outputs = {name: str(folder / f"{name}.parquet") for name in (*SPLITS, "held_out")}
    outputs["report"] = str(folder / "report.json")
    folder.mkdir(parents=True, exist_ok=True)

    class Output(dict):
        __getattr__ = dict.__getitem__

    images_script.main(
        SimpleNamespace(
            params=SimpleNamespace(cfg=cfg),
            wildcards=SimpleNamespace(dataset="mine"),
            output=Output(outputs),
            log=[str(folder / "log")],
            threads=threads,
        )
    )
    return outputs
