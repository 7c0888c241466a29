"""Train a classifier on real images, with or without extra ones, and measure its accuracy.

In every arm images are normalised by the mean and deviation of the real training images; where
training starts from weights, by those that the weights expect.
Axes: n images.
"""

import time
from collections.abc import Callable

import torch
from jaxtyping import Bool
from torch import Tensor

from mvc.core.image_set import Labelled, check_classes
from mvc.core.leakage import check_apart
from mvc.training.fit import Fitted, fit
from mvc.training.hyperparameters import Hyperparameters
from mvc.training.loop import predict


def run(
    real: Labelled,
    extra: Labelled | None,
    evaluation: Callable[[], Labelled],
    *,
    model: str,
    hyperparameters: Hyperparameters,
    root: int,
    seed: int,
    device: torch.device,
) -> dict:
    """Train one classifier, then measure its accuracy.

    Args:
        real: labelled training images.
        extra: extra images, or None.
        evaluation: called after training, so that nothing before can see what it returns.
        root, seed: the workflow's seed and the run's: see `fit`.

    Returns:
        accuracy, per_class (by name; classes with images to evaluate), train_accuracy: percent;
        n_train, n_extra, n_test, steps: counts; seconds.
    """
    start = time.perf_counter()
    settings = {"model": model, "hyperparameters": hyperparameters, "root": root, "seed": seed}
    fitted = fit(real, extra, **settings, device=device)
    held_out = evaluation()
    if not len(held_out.labels):
        raise ValueError("no image to evaluate on; set classifiers.split to a split that has some")
    check_classes(real, held_out, "evaluation")
    check_apart(held_out.ids, [real.ids] if extra is None else [real.ids, extra.ids])
    return {
        **evaluate(fitted, held_out),
        "train_accuracy": evaluate(fitted, real)["accuracy"],
        "n_train": len(real.labels),
        "n_extra": 0 if extra is None else len(extra.labels),
        "n_test": len(held_out.labels),
        "steps": fitted.steps,
        "seconds": round(time.perf_counter() - start, 2),
    }


def evaluate(fitted: Fitted, part: Labelled) -> dict:
    """Evaluate on unaugmented images: accuracy in %, and that of each class that `part` has."""
    predicted = predict(fitted.net, part.images, mean=fitted.mean, std=fitted.std)
    correct = predicted == part.labels
    per_class = {
        name: compute_percent(correct[part.labels == label])
        for label, name in part.class_names.items()
    }
    return {"accuracy": compute_percent(correct), "per_class": per_class}


def compute_percent(correct: Bool[Tensor, " n"]) -> float:
    """Compute the share of true values, in percent."""
    return round(100 * correct.double().mean().item(), 4)
