"""Intervals that cover test images as well as seeds.

What is measured of seed s on image i is x_si = mean + seed_s + image_i + rest_si, both factors
drawn at random and crossed: the model of readers and cases (Dorfman, Berbaum and Metz 1992), which
are here seeds and test images. The mean over S seeds and n images has the variance
(MS_seeds + max(MS_images - MS_rest, 0)) / (S n) by the mean squares of the two-way analysis of
variance, with Satterthwaite's degrees of freedom. With many images this is the t interval over
seeds, with seeds that all agree the one over images.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped
from scipy import stats


class Mean(NamedTuple):
    """A mean over seeds and images, its variance, and the degrees of freedom of the variance."""

    value: float
    variance: float
    freedom: float


def estimate_mean(values: Shaped[np.ndarray, "s n"]) -> Mean:
    """Estimate the mean over seeds and images; of one seed, over images alone.

    NaN variance with a single image.
    """
    values = values.astype(float)
    s, n = values.shape
    if n < 2:
        return Mean(float(values.mean()), math.nan, math.nan)
    if s < 2:
        return Mean(float(values.mean()), float(values.var(ddof=1)) / n, n - 1)
    of_seeds, of_images = values.mean(1, keepdims=True), values.mean(0, keepdims=True)
    seeds = n * float(of_seeds.var(ddof=1))
    images = s * float(of_images.var(ddof=1))
    rest = values - of_seeds - of_images + values.mean()
    rest = float((rest**2).sum()) / ((s - 1) * (n - 1))
    total = seeds + max(images - rest, 0)
    spread = seeds**2 / (s - 1)
    if images > rest:
        spread += images**2 / (n - 1) + rest**2 / ((s - 1) * (n - 1))
    freedom = total**2 / spread if spread else n - 1
    return Mean(float(values.mean()), total / (s * n), float(freedom))


def bound_accuracy(
    correct: Bool[np.ndarray, "s n"], *, confidence: float = 0.95
) -> tuple[float, float]:
    """Bound an accuracy, in percent, over seeds and test images.

    Wilson's interval with the effective number of images p (1 - p) / variance (Korn and Graubard
    1998), so that it stays within 0 to 100 and has a width at both ends. The variance is at least
    that of S x n independent images.
    """
    s, n = correct.shape
    p, variance, freedom = estimate_mean(correct)
    if math.isnan(variance) or p in (0, 1):
        size, freedom = float(n), max(n - 1, 1)
    else:
        size = p * (1 - p) / max(variance, p * (1 - p) / (s * n))
    t = float(stats.t.ppf((1 + confidence) / 2, freedom))
    middle = (p + t**2 / (2 * size)) / (1 + t**2 / size)
    half = t / (1 + t**2 / size) * math.sqrt(p * (1 - p) / size + t**2 / (4 * size**2))
    return 100 * max(middle - half, 0.0), 100 * min(middle + half, 1.0)


def bound_gain(
    ours: Bool[np.ndarray, "s n"], theirs: Bool[np.ndarray, "s n"], *, confidence: float = 0.95
) -> tuple[float, float]:
    """Bound a gain, in points, over seeds and test images: both arms see the same of both.

    The variance is at least that of one image in either direction that half counts, which Agresti
    and Min (2005) add: arms that agree on all n images differ by about two at most. NaN with a
    single image.
    """
    differences: Float[np.ndarray, "s n"] = ours.astype(float) - theirs.astype(float)
    n = differences.shape[1]
    value, variance, freedom = estimate_mean(differences)
    if math.isnan(variance):
        return math.nan, math.nan
    least = 1 / (n + 2) ** 2
    if variance < least:
        variance, freedom = least, n - 1
    half = float(stats.t.ppf((1 + confidence) / 2, freedom)) * math.sqrt(variance)
    return 100 * max(value - half, -1.0), 100 * min(value + half, 1.0)
