"""The classes of an image table. No torch, so that figures and tables load fast."""

import pyarrow as pa


def class_names(table: pa.Table) -> dict[int, str]:
    """Label to name of the classes in an image table, in order of label."""
    pairs = zip(table["label"].to_pylist(), table["class_name"].to_pylist(), strict=True)
    return dict(sorted(set(pairs)))


def check_classes(own: dict[int, str], training: dict[int, str]) -> None:
    """Refuse a judge that does not know every class of the training images by the same name.

    Raises:
        ValueError: naming the class.
    """
    for label, name in training.items():
        if own.get(label) != name:
            raise ValueError(
                f"class {label} is {name!r} in the training images, {own.get(label)!r} in "
                "the judge split, which must have the same classes, or be empty"
            )
