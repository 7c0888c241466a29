"""Measures of a classifier's predictions. No torch: the tables read them, too.

Axes: n images, k classes.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

# Images in which two classifiers must differ, all in one direction, before the exact sign test
# (McNemar's) says at 5 % that they differ: 2 x 0.5^6 = 0.03.
VISIBLE = 6
SMALL = 100 * VISIBLE  # test images; in a smaller set VISIBLE images are over one point
FEW = 5  # test images of a class; recalls of smaller ones are coarse
UNEVEN = 1.5  # the largest class has this many times its even share

Confusion = Mapping[str, Mapping[str, int]]


class Validation(NamedTuple):
    """An accuracy on validation images, in percent, and their number."""

    accuracy: float
    images: int


def measure_predictions(
    labels: Int[np.ndarray, " n"], predicted: Int[np.ndarray, " n"], names: Mapping[int, str]
) -> dict:
    """Measure predictions on an evaluation set.

    Args:
        names: of all k classes by label, in their order.

    Returns:
        accuracy; balanced_accuracy and macro_f1, means over the classes that have images (F1 of a
        class that is never predicted is 0); per_class, their recall by name: percent. confusion:
        for each class, how many of its images were given to which class, without zeros. correct:
        see `pack_correct`.
    """
    correct = labels == predicted
    counts = count_confusion(labels, predicted, list(names))
    right, true, named = counts.diagonal(), counts.sum(1), counts.sum(0)
    present = true > 0
    recall = right[present] / true[present]
    f1 = 2 * right[present] / (true + named)[present]
    each = list(names.values())
    return {
        "accuracy": _to_percent(correct.mean()),
        "balanced_accuracy": _to_percent(recall.mean()),
        "macro_f1": _to_percent(f1.mean()),
        "per_class": dict(
            zip(np.array(each, object)[present], map(_to_percent, recall), strict=True)
        ),
        "confusion": {
            name: {each[i]: int(row[i]) for i in np.flatnonzero(row)}
            for name, row in zip(each, counts, strict=True)
        },
        "correct": pack_correct(correct),
    }


def count_confusion(
    labels: Int[np.ndarray, " n"], predicted: Int[np.ndarray, " n"], classes: Sequence[int]
) -> Int[np.ndarray, "k k"]:
    """Count the images of each class (rows) that were given to each class (columns).

    The same as scikit-learn's `confusion_matrix`, whose import takes longer than a short training's
    evaluation.
    """
    place = {label: i for i, label in enumerate(classes)}
    rows, columns = ([place[int(y)] for y in each] for each in (labels, predicted))
    counts = np.zeros((len(place), len(place)), int)
    np.add.at(counts, (rows, columns), 1)
    return counts


def pack_correct(correct: Bool[np.ndarray, " n"]) -> str:
    """Pack which images were recognised, in the order of the set: one bit each, in base 64."""
    return base64.b64encode(np.packbits(correct).tobytes()).decode()


def unpack_correct(text: str, n: int) -> Bool[np.ndarray, " n"]:
    """Unpack what `pack_correct` has packed.

    Raises:
        ValueError: it is not base 64, or not of n images.
    """
    packed = np.frombuffer(base64.b64decode(text, validate=True), np.uint8)
    if len(packed) != -(-n // 8):
        raise ValueError(f"{len(packed)} bytes for {n} images; must be {-(-n // 8)}")
    return np.unpackbits(packed, count=n).astype(bool)


def find_validation(record: Mapping) -> Validation | None:
    """Find a run's accuracy on validation images in its record; None where there were none.

    Raises:
        ValueError: the record is of an older version.
    """
    if record["split"] == "validation":
        return Validation(record["accuracy"], record["n_test"])
    if "n_validation" not in record:
        raise ValueError("the record has no validation accuracy; delete it and run again")
    accuracy = record["validation_accuracy"]
    return None if accuracy is None else Validation(accuracy, record["n_validation"])


def list_test_warnings(confusion: Confusion) -> Iterator[str]:
    """List in plain words what an evaluation set cannot show, by its images of each class.

    Args:
        confusion: see `measure_predictions`.
    """
    sizes = {name: sum(row.values()) for name, row in confusion.items()}
    n, largest = sum(sizes.values()), find_majority(confusion)
    classes = sum(size > 0 for size in sizes.values())
    if n < SMALL:
        yield (
            f"{n:,} test images: one image is {_format_points(n, 1)}; one run each cannot tell "
            f"which of two classifiers is better if they differ in fewer than {VISIBLE} images "
            f"({_format_points(n, VISIBLE)})"
        )
    if classes == 1:
        yield f"all test images are of the class {largest!r}: no accuracy says anything here"
    elif sizes[largest] * classes > UNEVEN * n:
        yield (
            f"{sizes[largest]:,} of {n:,} test images are of the class {largest!r}: always naming "
            f"it has an accuracy of {100 * sizes[largest] / n:.1f} %; look at balanced accuracy "
            "and macro-F1"
        )
    for what, least, most in (("no test image", 0, 0), (f"under {FEW} test images", 1, FEW - 1)):
        if found := [name for name, size in sizes.items() if least <= size <= most]:
            named = ", ".join(map(repr, found[:FEW])) + (", …" if len(found) > FEW else "")
            result = "recall is coarse" if most else "not measured"
            yield f"{len(found):,} of {len(sizes):,} classes with {what} ({named}): {result}"


def find_majority(confusion: Confusion) -> str:
    """Find the class with the most images in an evaluation set."""
    return max(confusion, key=lambda name: sum(confusion[name].values()))


def _format_points(n: int, images: int) -> str:
    return f"{100 * images / n:.2g} points"


def _to_percent(share: float) -> float:
    return round(100 * float(share), 4)
