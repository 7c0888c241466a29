"""No held-out image reaches the generator: the check that every stage before the classifiers makes.

The images stage writes the validation and test images' names and hashes to `held_out.parquet`;
captions, U-Net and synthesis pass it, with the table that they were given, to `refuse_held_out`.
"""

import pyarrow as pa
import pyarrow.compute as pc

KEYS = ("image_id", "sha256")


def refuse_held_out(table: pa.Table, held_out: pa.Table) -> None:
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


def assert_disjoint(train: pa.Table, test: pa.Table) -> None:
    """Raise if two image tables share an image, by `image_id` or by `sha256`; names it."""
    for key in _shared_keys(train, test):
        common = train[key].filter(pc.is_in(train[key], value_set=test[key].combine_chunks()))
        if len(common):
            raise ValueError(
                f"{len(common)} image(s) in both tables, the first with {key} = {common[0]}; "
                "training and test images must not meet"
            )


def _shared_keys(first: pa.Table, second: pa.Table) -> list[str]:
    keys = [k for k in KEYS if k in first.column_names and k in second.column_names]
    if not keys:
        raise ValueError(f"neither of {KEYS} is in both tables: {first.column_names}")
    return keys
