"""Distances between sets of images, in features or in pixels; no model and no file in here.

Axes: n, m images, d features, c classes. All sums in float64: differences of large, nearly equal
numbers are what these measures are made of.
"""

import math

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.distance import cdist, pdist

QUERIES = 500  # images of a class whose distance to their own kind is measured, at most


def compute_frechet(a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "m d"]) -> float:
    """Squared Fréchet distance of two Gaussians fitted to the sets (Heusel et al., 2017).

    |mean_a - mean_b|² + tr(A + B - 2 (AB)^½) with covariances A and B. The last trace is the sum
    of the singular values of A^½ B^½: no root of a matrix that rounding made indefinite. It is
    biased upwards in small sets, so compare it only between sets of one size.

    Raises:
        ValueError: a set has fewer than two images.
    """
    if min(len(a), len(b)) < 2:
        raise ValueError(f"sets of {len(a)} and {len(b)} images; a covariance takes at least 2")
    a, b = a.astype(np.float64), b.astype(np.float64)
    cov_a, cov_b = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b))
    cross = np.linalg.svd(_compute_root(cov_a) @ _compute_root(cov_b), compute_uv=False).sum()
    shift = ((a.mean(0) - b.mean(0)) ** 2).sum()
    return max(0.0, float(shift + np.trace(cov_a) + np.trace(cov_b) - 2 * cross))


def compute_precision_recall(
    real: Float[np.ndarray, "n d"], synthetic: Float[np.ndarray, "m d"], *, k: int
) -> tuple[float, float]:
    """Improved precision and recall (Kynkäänniemi et al., 2019), both in 0..1.

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
    """The effective number of different images (Friedman & Dieng, 2023): 1 if all alike, at most n.

    Exponential of the entropy of the eigenvalues of the cosine similarity matrix divided by n;
    these are the squared singular values of the features. Unit rows are expected.
    """
    share = np.linalg.svd(features.astype(np.float64), compute_uv=False) ** 2
    share = share[share > 0] / share.sum()
    return float(math.exp(-(share * np.log(share)).sum()))


def compute_spread(features: Float[np.ndarray, "n d"]) -> float:
    """The mean distance between two different images of a set of at least two."""
    return float(pdist(features.astype(np.float64)).mean())


def compute_diversity(
    features: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    real: Float[np.ndarray, "m d"],
    real_labels: Int[np.ndarray, " m"],
) -> dict[str, float]:
    """Vendi score and spread within a class, averaged over classes, and relative to real images.

    Both depend on how many images there are, so each class is measured on as many images of one
    set as of the other: the first ones. NaN where no class has two images in both sets.
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
    """Distance to the nearest training image of the same class, and the training images' own.

    Both in units of the class's median distance from one training image to the nearest other:
    classes differ in how alike their images are. A class with one training image, or with nothing
    but copies of it, takes the median over the other classes.

    Returns:
        One value per image (NaN: no training image of its class); the training images' values, of
        at most `QUERIES` per class.
    """
    among, raw = {}, np.full(len(images), np.nan)
    for label in np.unique(training_labels):
        kin = training[training_labels == label].astype(np.float64)
        if (labels == label).any():
            raw[labels == label] = cdist(images[labels == label], kin).min(1)
        if len(kin) > 1:
            among[label] = _measure_to_others(kin)
    medians = {label: np.median(values) for label, values in among.items()}
    positive = [m for m in medians.values() if m > 0]
    usual = np.median(positive) if positive else np.nan
    scale = {label: m if m > 0 else usual for label, m in medians.items()}
    relative = raw / np.array([scale.get(label, usual) for label in labels])
    scaled = [values / scale[label] for label, values in among.items()]
    return relative, np.concatenate(scaled) if scaled else np.empty(0)


def compute_near_share(
    relative: Float[np.ndarray, " n"], among: Float[np.ndarray, " q"], *, percentile: float = 1.0
) -> float:
    """Share of images nearer to a training image than all but `percentile` % of those are.

    NaN where there is nothing to compare with.
    """
    known = relative[~np.isnan(relative)]
    if not len(known) or not len(among) or np.isnan(among).any():
        return math.nan
    return float((known < np.percentile(among, percentile)).mean())


def _measure_to_others(kin: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " q"]:
    queries = np.arange(0, len(kin), math.ceil(len(kin) / QUERIES))
    distances = cdist(kin[queries], kin)
    distances[np.arange(len(queries)), queries] = np.inf
    return distances.min(1)


def _compute_radius(x: Float[np.ndarray, "n d"], k: int) -> Float[np.ndarray, " n"]:
    return np.partition(cdist(x, x), k, axis=1)[:, k]  # the 0-th is the point itself


def _compute_root(covariance: Float[np.ndarray, "d d"]) -> Float[np.ndarray, "d d"]:
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(values.clip(0))) @ vectors.T


def _divide(a: float, b: float) -> float:
    return float(a / b) if b else math.nan
