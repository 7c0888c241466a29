"""Quality of a set of synthetic images: its labels, its likeness to real images, its copies.

Every measure is also taken of real images that were not used for training. They are the yardstick,
since no measure reaches its ideal value on a finite set of real images.
Axes: n images, 3 channels, h and w pixels, d features.
"""

import math
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from mvc.core.image_tables import IMAGE_COLUMNS, get_bytes, get_fit
from mvc.core.pixels import load
from mvc.models.clip import embed_images, find_image_size
from mvc.quality.metrics import (
    compute_diversity,
    compute_frechet,
    compute_near_share,
    compute_precision_recall,
    measure_nearest,
)

METHOD = {
    "features": "CLIP image tower, rows of unit length",
    "frechet": "squared Fréchet distance to the reference images, in features",
    "precision, recall": "Kynkäänniemi et al. 2019, against the reference images, in features",
    "vendi, spread": "Vendi score and mean pairwise distance within a class, in features; "
    "relative to as many reference images",
    "nearest_*": "median distance to the nearest training image of the class; 1 = the training "
    "images' own median distance to each other",
    "near_*": "percent nearer to a training image than all but 1 % of the training images are",
    "exact_copies": "images equal to a training image, pixel by pixel",
    "repeats": "images equal to an earlier image of the set, pixel by pixel",
}


class Images(NamedTuple):
    """A set of images in the three forms that are measured."""

    pixels: UInt8[Tensor, "n 3 h w"]
    features: Float[np.ndarray, "n d"]
    labels: Int[np.ndarray, " n"]


def open_images(table: pa.Table, clip: nn.Module, *, size: int, batch_size: int) -> Images:
    """Decode an image table: at `size` pixels for oracle and copies, at CLIP's size for features.

    Raises:
        ValueError: the table is empty.
    """
    if not table.num_rows:
        raise ValueError("no images to measure")
    data, fit, wanted = get_bytes(table), get_fit(table), find_image_size(clip)
    pixels = load(data, size=size, fit=fit)
    for_clip = pixels if wanted == size else load(data, size=wanted, fit=fit)
    features = embed_images(for_clip, clip, batch_size=batch_size).numpy()
    return Images(pixels, features, table["label"].to_numpy())


def open_sample(
    table: pa.Table, count: int | None, *, seed: int, clip: nn.Module, size: int, batch_size: int
) -> Images:
    """Decode a sample of `count` images (None: all) in which classes keep their shares."""
    rows = sample(table["label"].to_numpy(), count, seed=seed)
    return open_images(table.take(rows), clip, size=size, batch_size=batch_size)


def assign_roles(
    train: pa.Table, validation: pa.Table, extra: pa.Table
) -> tuple[pa.Table, pa.Table, str]:
    """Assign real images to the reference and to the yardstick; test images to neither.

    The yardstick is the `extra` split, or `validation` where that is empty; the reference is
    the training images, and `validation` where it is not the yardstick.

    Returns:
        Reference, yardstick, and the name of the yardstick's split; the yardstick is empty where
        there are no real images beside the training images.
    """
    train, validation, extra = (t.select(IMAGE_COLUMNS) for t in (train, validation, extra))
    if extra.num_rows:
        return pa.concat_tables([train, validation]), extra, "extra"
    return train, validation, "validation"


def sample(labels: Int[np.ndarray, " n"], count: int | None, *, seed: int) -> Int[np.ndarray, " q"]:
    """Sample rows such that classes keep their shares, in random order.

    Any first part of the sample is such a sample too. `count` None, or above their number, takes
    all rows.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    place = np.empty(len(labels))
    for label in np.unique(labels):
        rows = order[labels[order] == label]
        place[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    return order[np.argsort(place[order], kind="stable")][:count]


def measure(
    images: Images, *, reference: Images, training: Images, n: int, k: int
) -> dict[str, float | int | str]:
    """Measure likeness to the reference images, diversity, and nearness to the training images.

    Args:
        images, reference: in random order, as returned by `sample`.
        training: the real images that the generator was trained on.
        n: how many of the images, and of the reference, are compared; Fréchet distance, precision
            and recall depend on it, so use one number for all sets that are compared.
        k: neighbours that make an image's ball in precision and recall.

    Returns:
        Numbers by the names of `METHOD`, None where the images are too few; `note` warns if they
        are too few for a covariance of full rank.
    """
    d = images.features.shape[1]
    ours, real = images.features[:n], reference.features[:n]
    precision, recall = compute_precision_recall(real, ours, k=k) if n > k else (math.nan, math.nan)
    result = {
        "n": len(images.labels),
        "n_compared": n,
        "frechet": compute_frechet(ours, real) if n > 1 else math.nan,
        "precision": precision,
        "recall": recall,
        **compute_diversity(images.features, images.labels, reference.features, reference.labels),
        **_measure_nearness(images, training),
        "note": "" if n > d else f"{n} images for {d} features: the Fréchet distance is biased",
    }
    return {key: None if value != value else value for key, value in result.items()}


def count_copies(
    pixels: UInt8[Tensor, "n 3 h w"], training: UInt8[Tensor, "m 3 h w"]
) -> tuple[int, int]:
    """Count images that equal a training image, and those that equal an earlier one of the set."""
    known = {image.numpy().tobytes() for image in training}
    contents = [image.numpy().tobytes() for image in pixels]
    return sum(image in known for image in contents), len(contents) - len(set(contents))


def _measure_nearness(images: Images, training: Images) -> dict[str, float]:
    result = {}
    views = {"features": lambda x: x.features, "pixels": lambda x: _flatten(x.pixels)}
    for name, view in views.items():
        relative, between = measure_nearest(
            view(images), images.labels, view(training), training.labels
        )
        known = relative[~np.isnan(relative)]
        result[f"nearest_{name}"] = float(np.median(known)) if len(known) else math.nan
        result[f"near_{name}"] = 100 * compute_near_share(relative, between)
    exact, repeats = count_copies(images.pixels, training.pixels)
    return {**result, "exact_copies": exact, "repeats": repeats}


def _flatten(pixels: UInt8[Tensor, "n 3 h w"]) -> Float[np.ndarray, "n p"]:
    return pixels.flatten(1).numpy().astype(np.float32) / 255
