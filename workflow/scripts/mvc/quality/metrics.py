"""Measures of sets of images, in features or in pixels; no model and no file is read.

Axes: n, m images, d features, q queries. All sums are in float64, since the measures are
differences of large, nearly equal numbers.
"""

import math

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.distance import cdist, pdist

QUERIES = 500  # most training images of a class whose distance to the others is measured


def compute_frechet(a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "m d"]) -> float:
    """Compute the squared Fréchet distance of Gaussians fitted to the sets (Heusel et al., 2017).

    |mean_a - mean_b|² + tr(A + B - 2 (AB)^½) with covariances A and B. The last trace is computed
    as the sum of the singular values of A^½ B^½, without the root of a matrix that rounding made
    indefinite. The distance is biased upwards in small sets: compare it between sets of one size.

    Raises:
        ValueError: a set has fewer than two images.
    """
    if min(len(a), len(b)) < 2:
        raise ValueError(f"sets of {len(a)} and {len(b)} images; a covariance needs at least 2")
    a, b = a.astype(np.float64), b.astype(np.float64)
    cov_a, cov_b = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b))
    cross = np.linalg.svd(_compute_root(cov_a) @ _compute_root(cov_b), compute_uv=False).sum()
    shift = ((a.mean(0) - b.mean(0)) ** 2).sum()
    return max(0.0, float(shift + np.trace(cov_a) + np.trace(cov_b) - 2 * cross))


def compute_precision_recall(
    real: Float[np.ndarray, "n d"], synthetic: Float[np.ndarray, "m d"], *, k: int
) -> tuple[float, float]:
    """Compute improved precision and recall (Kynkäänniemi et al., 2019), both in 0..1.

    A set's manifold is the union of balls around its points, each as wide as the distance to the
    point's k-th nearest neighbour. Precision: share of the synthetic images on the real manifold;
    recall: share of the real ones on the synthetic manifold.

    Raises:
        ValueError: k is below 1, or a set has not more than k images.
    """
    if not 1 <= k < min(len(real), len(synthetic)):
        raise ValueError(
            f"quality.k = {k}; must be >= 1 and below the size of the sets, "
            f"{len(real)} real and {len(synthetic)} synthetic images"
        )
    across = cdist(real, synthetic)
    precision = (across <= _compute_radius(real, k)[:, None]).any(0).mean()
    recall = (across <= _compute_radius(synthetic, k)[None, :]).any(1).mean()
    return float(precision), float(recall)


def compute_vendi(features: Float[np.ndarray, "n d"]) -> float:
    """Compute the Vendi score (Friedman & Dieng, 2023), the effective number of distinct images.

    It is 1 if all images are alike, and at most n: the exponential of the entropy of the
    eigenvalues of the cosine similarity matrix divided by n, which are the squared singular values
    of the features. Rows must be of unit length.
    """
    share = np.linalg.svd(features.astype(np.float64), compute_uv=False) ** 2
    share = share[share > 0] / share.sum()
    return float(math.exp(-(share * np.log(share)).sum()))


def compute_spread(features: Float[np.ndarray, "n d"]) -> float:
    """Compute the mean distance between two images of a set, which must have at least two."""
    return float(pdist(features.astype(np.float64)).mean())


def compute_diversity(
    features: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    real: Float[np.ndarray, "m d"],
    real_labels: Int[np.ndarray, " m"],
) -> dict[str, float]:
    """Compute Vendi score and spread within a class, averaged, also relative to real images.

    Both depend on the number of images, so each class is measured on equally many first images of
    both sets. NaN where no class has two images in both sets.
    """
    rows = []
    for label in np.unique(labels):
        a, b = features[labels == label], real[real_labels == label]
        n = min(len(a), len(b))
        if n >= 2:
            rows.append(
                [
                    compute_vendi(a[:n]),
                    compute_vendi(b[:n]),
                    compute_spread(a[:n]),
                    compute_spread(b[:n]),
                ]
            )
    ours_v, real_v, ours_s, real_s = np.mean(rows, axis=0) if rows else [math.nan] * 4
    return {
        "vendi": float(ours_v),
        "vendi_relative": _divide(ours_v, real_v),
        "spread": float(ours_s),
        "spread_relative": _divide(ours_s, real_s),
    }


def measure_nearest(
    images: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    training: Float[np.ndarray, "m d"],
    training_labels: Int[np.ndarray, " m"],
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " q"]]:
    """Measure the distance to the nearest training image of the class, and that between those.

    Both in units of the class's median distance from one training image to the nearest other:
    classes differ in how alike their images are. A class with one training image, or with nothing
    but copies of it, takes the median over the other classes.

    Returns:
        A distance for each image (NaN: its class has no training image); and for at most `QUERIES`
        training images per class that to the nearest other.
    """
    between, distances = {}, np.full(len(images), np.nan)
    for label in np.unique(training_labels):
        members = training[training_labels == label].astype(np.float64)
        if (labels == label).any():
            distances[labels == label] = cdist(images[labels == label], members).min(1)
        if len(members) > 1:
            between[label] = _measure_to_others(members)
    medians = {label: np.median(values) for label, values in between.items()}
    positive = [m for m in medians.values() if m > 0]
    default = np.median(positive) if positive else np.nan
    scale = {label: m if m > 0 else default for label, m in medians.items()}
    relative = distances / np.array([scale.get(label, default) for label in labels])
    scaled = [values / scale[label] for label, values in between.items()]
    return relative, np.concatenate(scaled) if scaled else np.empty(0)


def compute_near_share(
    relative: Float[np.ndarray, " n"], between: Float[np.ndarray, " q"], *, percentile: float = 1.0
) -> float:
    """Compute the share of images nearer to a training image than all but few of those are.

    Args:
        relative, between: distances as returned by `measure_nearest`.
        percentile: of the training images' distances, below which an image counts as near.

    Returns:
        A share in 0..1; NaN if there is nothing to compare with.
    """
    known = relative[~np.isnan(relative)]
    if not len(known) or not len(between) or np.isnan(between).any():
        return math.nan
    return float((known < np.percentile(between, percentile)).mean())


def _measure_to_others(members: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " q"]:
    queries = np.arange(0, len(members), math.ceil(len(members) / QUERIES))
    distances = cdist(members[queries], members)
    distances[np.arange(len(queries)), queries] = np.inf
    return distances.min(1)


def _compute_radius(x: Float[np.ndarray, "n d"], k: int) -> Float[np.ndarray, " n"]:
    return np.partition(cdist(x, x), k, axis=1)[:, k]  # the 0-th is the point itself


def _compute_root(covariance: Float[np.ndarray, "d d"]) -> Float[np.ndarray, "d d"]:
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(values.clip(0))) @ vectors.T


def _divide(a: float, b: float) -> float:
    return float(a / b) if b else math.nan
