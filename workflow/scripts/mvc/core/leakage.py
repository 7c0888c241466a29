"""Leakage checks: refuse held-out images in any input of the generator.

The stage `images` writes names and hashes of the validation and test images to `held_out.parquet`.
Every stage that reads images for the generator compares its input with that table.
"""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

KEYS = ("image_id", "sha256")
# Generators whose sources are training images.
FROM_TRAINING = {"finetuned", "pretrained", "mixed", "train_vae"}


def check_held_out(table: pa.Table, held_out: pa.Table) -> None:
    """Refuse a table that contains a held-out image, by name or by content.

    Args:
        table: input of a stage; has `image_id`, `sha256` or both.
        held_out: columns `image_id`, `sha256`, `split`.

    Raises:
        ValueError: names the images and the splits that they belong to.
    """
    found: dict[str, str] = {}
    for key in _list_shared_keys(table, held_out):
        hits = table.filter(pc.is_in(table[key], value_set=held_out[key].combine_chunks()))
        if len(hits):
            split = dict(zip(held_out[key].to_pylist(), held_out["split"].to_pylist(), strict=True))
            name = "image_id" if "image_id" in hits.column_names else key
            for row in hits.select([*{key, name}]).to_pylist():
                found.setdefault(row[name], split[row[key]])
    if found:
        names = ", ".join(f"{name} ({split})" for name, split in list(found.items())[:5])
        raise ValueError(
            f"{len(found)} held-out image(s) in an input of the generator: {names}"
            f"{', …' if len(found) > 5 else ''}; images for evaluation must not be captioned, "
            "mixed, paired, conditioned on or used for fine-tuning: delete the results folder of "
            "this data set and run again"
        )


def check_disjoint(first: pa.Table, second: pa.Table) -> None:
    """Refuse two image tables that share an image, by `image_id` or by `sha256`.

    Raises:
        ValueError: names the first such image.
    """
    for key in _list_shared_keys(first, second):
        common = first[key].filter(pc.is_in(first[key], value_set=second[key].combine_chunks()))
        if len(common):
            raise ValueError(
                f"{len(common)} image(s) in both tables, the first with {key} = {common[0]}; "
                "splits must be disjoint"
            )


def check_sources(train: frozenset[str], sources: frozenset[str], generator: str) -> None:
    """Refuse images of a generator in FROM_TRAINING whose source is no training image.

    Raises:
        ValueError: names such a source.
    """
    strangers = sorted(sources - train)
    if generator in FROM_TRAINING and strangers:
        raise ValueError(
            f"{len(strangers)} sources of {generator} images are not training images, "
            f"the first {strangers[0]!r}; delete the shards and run again"
        )


def check_apart(evaluation: frozenset[str], used: Iterable[frozenset[str]]) -> None:
    """Refuse evaluation images that are training images, or sources of training images.

    Raises:
        ValueError: names such an image.
    """
    shared = sorted(evaluation & frozenset().union(*used))
    if shared:
        raise ValueError(
            f"{len(shared)} evaluation images are trained on, the first {shared[0]!r}; delete the "
            "results folder of this data set and run again"
        )


def _list_shared_keys(first: pa.Table, second: pa.Table) -> list[str]:
    keys = [k for k in KEYS if k in first.column_names and k in second.column_names]
    if not keys:
        raise ValueError(f"{' and '.join(KEYS)} are not in both tables: {first.column_names}")
    return keys
