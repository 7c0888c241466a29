"""Front matter of the card, which the hub and `datasets` read, and the files beside it."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from mvc.augmented.croissant import format_croissant
from mvc.core.atomic import write_text

# Files of a split, the best ones for `datasets` first: it opens all configurations of a card alike.
PATHS = {
    "parquet": "data/{}-*.parquet",
    "webdataset": "shards/{}-*.tar",
    "folders": "{}/**",
}
SIZES = {1_000: "n<1K", 10_000: "1K<n<10K", 100_000: "10K<n<100K", 1_000_000: "100K<n<1M"}


def describe_folder(
    folder: Path,
    card: str,
    choice: Mapping,
    *,
    name: str,
    formats: Sequence[str],
    images: Mapping[str, int],
) -> None:
    """Write what describes a finished folder: the card, what was chosen, and Croissant of Parquet.

    Args:
        choice: see `filters.summarise_choice`.
        name, formats, images: see `format_front`.
    """
    front = format_front(folder, name=name, formats=formats, images=images)
    write_text(front + card, folder / "README.md")
    write_text(json.dumps(choice, indent=1, ensure_ascii=False) + "\n", folder / "selection.json")
    if "parquet" in formats:
        described = format_croissant(folder, name=name, splits=list(images))
        write_text(described, folder / "croissant.json")


def format_front(
    folder: Path, *, name: str, formats: Sequence[str], images: Mapping[str, int]
) -> str:
    """Format the front matter of a finished folder.

    Args:
        name: of the data set.
        formats: that are there, see `export.FORMATS`.
        images: number of images of each split.
    """
    from datasets.info import DatasetInfosDict
    from huggingface_hub import DatasetCardData

    path = next(PATHS[kind] for kind in PATHS if kind in formats)
    files = [{"split": split, "path": path.format(split)} for split in images]
    total = sum(images.values())
    data = DatasetCardData(
        pretty_name=f"{name}, augmented",
        license="unknown",
        task_categories=["image-classification"],
        size_categories=[next((SIZES[n] for n in SIZES if total < n), "n>1M")],
        source_datasets=[f"extended|other-{re.sub(r'[^A-Za-z0-9]+', '-', name).lower()}"],
        annotations_creators=["found", "machine-generated"],
        tags=["synthetic"],
        configs=[{"config_name": "default", "data_files": files}],
    )
    if "parquet" in formats:
        DatasetInfosDict(default=_read_info(folder, images)).to_dataset_card_data(data)
    return f"---\n{data.to_yaml()}\n---\n"


def _read_info(folder: Path, images: Mapping[str, int]):
    from datasets import DatasetInfo, Features
    from datasets.splits import SplitDict, SplitInfo

    sizes, download = {}, 0
    for split in images:
        files = sorted((folder / "data").glob(f"{split}-*.parquet"))
        parts = [pq.ParquetFile(file).metadata for file in files]
        groups = [part.row_group(i) for part in parts for i in range(part.num_row_groups)]
        sizes[split] = sum(group.total_byte_size for group in groups)
        download += sum(file.stat().st_size for file in files)
    splits = [SplitInfo(name, num_bytes=sizes[name], num_examples=images[name]) for name in images]
    return DatasetInfo(
        features=Features.from_arrow_schema(pq.read_schema(files[0])),
        splits=SplitDict({split.name: split for split in splits}),
        download_size=download,
        dataset_size=sum(sizes.values()),
    )
