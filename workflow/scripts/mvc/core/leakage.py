"""No held-out image reaches the generator: the check that every stage before the classifiers makes.

The images stage writes the validation and test images' names and hashes to `held_out.parquet`;
captions, U-Net and synthesis pass it, with the table that they were given, to `check_held_out`.
"""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

KEYS = ("image_id", "sha256")
# Generators whose sources are training images.
FROM_TRAINING = {"finetuned", "pretrained", "mixed", "train_vae"}


def check_held_out(table: pa.Table, held_out: pa.Table) -> None:
    """Raise if a row of `table` is a held-out image, by name or by content.

    Args:
        table: what a stage is about to use; has `image_id`, `sha256` or both.
        held_out: columns `image_id`, `sha256`, `split`.

    Raises:
        ValueError: names the images and the split they are held out for.
    """
    found: dict[str, str] = {}
    for key in _shared_keys(table, held_out):
        hits = table.filter(pc.is_in(table[key], value_set=held_out[key].combine_chunks()))
        if len(hits):
            split = dict(zip(held_out[key].to_pylist(), held_out["split"].to_pylist(), strict=True))
            name = "image_id" if "image_id" in hits.column_names else key
            for row in hits.select([*{key, name}]).to_pylist():
                found.setdefault(row[name], split[row[key]])
    if found:
        names = ", ".join(f"{name} ({split})" for name, split in list(found.items())[:5])
        raise ValueError(
            f"{len(found)} held-out image(s) among those given to the generator: {names}"
            f"{', …' if len(found) > 5 else ''}; an image that is evaluated on must not be "
            "captioned, mixed, paired, conditioned on or fine-tuned on: delete the results folder "
            "of this data set and run again"
        )


def check_disjoint(train: pa.Table, test: pa.Table) -> None:
    """Raise if two image tables share an image, by `image_id` or by `sha256`; names it."""
    for key in _shared_keys(train, test):
        common = train[key].filter(pc.is_in(train[key], value_set=test[key].combine_chunks()))
        if len(common):
            raise ValueError(
                f"{len(common)} image(s) in both tables, the first with {key} = {common[0]}; "
                "training and test images must not meet"
            )


def check_sources(train: frozenset[str], sources: frozenset[str], generator: str) -> None:
    """Images of a generator must come from training images alone (generators of FROM_TRAINING).

    Raises:
        ValueError: naming a source that is no training image.
    """
    strangers = sorted(sources - train)
    if generator in FROM_TRAINING and strangers:
        raise ValueError(
            f"{len(strangers)} sources of {generator} images are not training images, "
            f"the first {strangers[0]!r}; delete the shards and run again"
        )


def check_apart(evaluation: frozenset[str], used: Iterable[frozenset[str]]) -> None:
    """No image of the evaluation may be a training image or the source of one.

    Raises:
        ValueError: naming one that is.
    """
    shared = sorted(evaluation & frozenset().union(*used))
    if shared:
        raise ValueError(f"{len(shared)} evaluation images are trained on, the first {shared[0]!r}")


def _shared_keys(first: pa.Table, second: pa.Table) -> list[str]:
    keys = [k for k in KEYS if k in first.column_names and k in second.column_names]
    if not keys:
        raise ValueError(f"neither of {KEYS} is in both tables: {first.column_names}")
    return keys
