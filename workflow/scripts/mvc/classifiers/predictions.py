"""A classifier's predictions: of image files, as rows of a CSV table, and of a table's images.

Axes: n images, k classes.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import TextIOBase
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Int

from mvc.classifiers.folder import Classifier
from mvc.classifiers.measures import unpack_correct
from mvc.core import image_tables
from mvc.core.csv_cells import escape_cell
from mvc.core.parallel import run_in_threads


def predict_table(
    classifier: Classifier, path: str | Path
) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """Predict the classes of a Parquet table of images; return their labels, too."""
    table = image_tables.read(path, ["image", "label"])
    return np.asarray(table["label"]), predict_batches(classifier, image_tables.get_bytes(table))[0]


def predict_batches(
    classifier: Classifier, files: Iterable[bytes]
) -> tuple[Int[np.ndarray, " n"], Float32[np.ndarray, "n k"]]:
    """Predict the class of image files, and the probability of each class.

    Raises:
        ValueError: a file cannot be decoded, see `Classifier.read`; names its place.
    """
    labels, shares = [], [np.empty((0, len(classifier.classes)), np.float32)]

    def read(item: tuple[int, bytes]) -> torch.Tensor:
        try:
            return classifier.read(item[1])
        except ValueError as error:
            reason = str(error).removeprefix("image 0 of the batch: ")
            raise ValueError(f"image {item[0]}: {reason}") from error

    remaining = enumerate(files)
    while batch := list(islice(remaining, classifier.batch_size)):
        images = list(run_in_threads(read, batch, torch.get_num_threads()))
        found = classifier.predict(torch.stack(images))
        labels.extend(found[0].tolist())
        shares.append(found[1])
    return np.asarray(labels, int), np.concatenate(shares)


def describe_repeat(
    labels: Int[np.ndarray, " n"], predicted: Int[np.ndarray, " n"], record: Mapping
) -> str:
    """Describe whether a classifier that was opened again recognises what its run recorded."""
    correct = labels == predicted
    differ = int((correct != unpack_correct(record["correct"], len(labels))).sum())
    if not differ:
        return (
            f"Opened again from this folder, it recognises exactly the {record['split']} images "
            "that the run recorded."
        )
    return (
        f"Opened again from this folder on the machine that wrote it, {differ:,} of "
        f"{len(labels):,} {record['split']} images turn out otherwise than the run recorded, on a "
        f"processor that rounds otherwise: accuracy {100 * correct.mean():.4g} %."
    )


class Prediction(NamedTuple):
    """The class of an image file, and the probability of each class; or why it cannot be read."""

    file: str
    label: int = -1
    probabilities: Float32[np.ndarray, " k"] | None = None
    fault: str = ""
    tinted: bool = False  # in colour, where all training images are grey


def predict_files(classifier: Classifier, files: Iterable[str | Path]) -> Iterator[Prediction]:
    """Predict the class of image files, some at once; a file that cannot be read has a fault."""

    def read(file: str | Path):
        if Path(file).is_dir():
            return f"is a folder; name its files, as in {Path(file) / '*.jpg'}"
        try:
            return classifier.read(Path(file).read_bytes())
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            return (reason or str(error)).removeprefix("image 0 of the batch: ")

    remaining = iter(files)
    while names := list(islice(remaining, classifier.batch_size)):
        images = list(run_in_threads(read, names, torch.get_num_threads()))
        there = [image for image in images if isinstance(image, torch.Tensor)]
        found = iter(zip(*classifier.predict(torch.stack(there)), strict=True) if there else ())
        for name, image in zip(names, images, strict=True):
            if isinstance(image, str):
                yield Prediction(str(name), fault=image)
                continue
            label, probabilities = next(found)
            tinted = classifier.grayscale and bool((image != image[:1]).any())
            yield Prediction(str(name), int(label), probabilities, tinted=tinted)


def write_predictions(
    predictions: Iterable[Prediction], classes: Sequence[str], file: TextIOBase
) -> list[Prediction]:
    """Write predictions as CSV while they come; return those that are to be told of.

    Columns: `file`, `class`, `probability` of that class, and `probability: <name>` of each class.
    A file that cannot be read has no row.
    """
    table = csv.writer(file, lineterminator="\n")
    columns = ["file", "class", "probability", *(f"probability: {name}" for name in classes)]
    table.writerow(columns)
    noted = []
    for each in predictions:
        if each.fault or each.tinted:
            noted.append(each)
        if not each.fault:
            shares = [f"{share:.6f}" for share in each.probabilities]
            name, label = escape_cell(each.file), escape_cell(classes[each.label])
            table.writerow([name, label, shares[each.label], *shares])
    return noted
