"""Train a classifier on real images, with or without extra ones, and measure its accuracy.

In every arm images are normalised by the mean and deviation of the real training images; where
training starts from weights, by those that the weights expect.
Axes: n images.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from mvc.classifiers.measures import list_test_warnings, measure_predictions
from mvc.core.checkpoint import name_checkpoint
from mvc.core.hashing import digest_settings
from mvc.core.image_set import Labelled, check_classes, read_labelled
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
    validation: Callable[[], Labelled] | None = None,
    checkpoint: Path | None = None,
) -> tuple[dict, Fitted]:
    """Train one classifier, then measure its accuracy.

    Args:
        real: labelled training images.
        extra: extra images, or None.
        evaluation: called after training, so that nothing before can see what it returns.
        validation: the same of the images by which one of several runs is chosen; None where
            those are the evaluation's.
        root, seed: the workflow's seed and the run's: see `fit`.
        checkpoint: file that a stopped run goes on from, see `fit`.

    Returns:
        The network, and in a dictionary: what `measure_predictions` returns; warnings: what the
        evaluation images cannot show; test_set: digest of their names and classes; train_accuracy:
        percent; n_train, n_extra, n_test, steps: counts; what `measure_validation` returns;
        seconds.
    """
    start = time.perf_counter()
    settings = {"model": model, "hyperparameters": hyperparameters, "root": root, "seed": seed}
    fitted = fit(real, extra, **settings, device=device, checkpoint=checkpoint)
    used = [real] if extra is None else [real, extra]
    held_out = evaluation()
    if not len(held_out.labels):
        raise ValueError("no image to evaluate on; set classifiers.split to a split that has some")
    labels = held_out.labels.numpy()
    predicted = predict_held_out(fitted, held_out, used, "evaluation")
    measured = measure_predictions(labels, predicted, real.class_names)
    recalled = predict_classes(fitted, real) == real.labels.numpy()
    found = {
        **measured,
        "warnings": list(list_test_warnings(measured["confusion"])),
        "test_set": digest_settings({"ids": sorted(held_out.ids), "labels": labels.tolist()}),
        "train_accuracy": round(100 * float(recalled.mean()), 4),
        "n_train": len(real.labels),
        "n_extra": 0 if extra is None else len(extra.labels),
        "n_test": len(held_out.labels),
        "steps": fitted.steps,
        **(measure_validation(fitted, validation(), used) if validation else {}),
        "seconds": round(fitted.seconds_before + time.perf_counter() - start, 2),
    }
    return found, fitted


def measure_validation(fitted: Fitted, part: Labelled, used: Sequence[Labelled]) -> dict:
    """Measure accuracy on validation images.

    Args:
        used: the real training images, and the extra ones.

    Returns:
        validation_accuracy: percent, None without images; n_validation: their number.
    """
    n = len(part.labels)
    if not n:
        return {"validation_accuracy": None, "n_validation": 0}
    correct = predict_held_out(fitted, part, used, "validation") == part.labels.numpy()
    return {"validation_accuracy": round(100 * float(correct.mean()), 4), "n_validation": n}


def predict_held_out(
    fitted: Fitted, part: Labelled, used: Sequence[Labelled], name: str
) -> np.ndarray:
    """Predict the classes of images that fit the training images and are none of them."""
    check_classes(used[0], part, name)
    check_apart(part.ids, [each.ids for each in used])
    return predict_classes(fitted, part)


def predict_classes(fitted: Fitted, part: Labelled) -> np.ndarray:
    """Predict the class of each image, unaugmented."""
    return predict(fitted.net, part.images, mean=fitted.mean, std=fitted.std).numpy()


def make_reader(
    path: str | Path, *, decoded: Iterable[str | Path], size: int | None
) -> Callable[[], Labelled]:
    """Make a function that reads the images of a split when it is called.

    Args:
        path: of the table, which has the split's name.
        decoded: files of pixels, each with a split's name, see `pixel_cache`.
    """
    pixels = {Path(file).stem: file for file in decoded}.get(Path(path).stem)
    return partial(read_labelled, path, size=size, decoded=pixels)


def name_run(
    output: str | Path,
    real: Labelled,
    extra: Labelled | None,
    depends: Mapping,
    files: Iterable[str | Path | Sequence[str | Path]],
) -> Path:
    """Name the checkpoint of a run by its settings, code, images and further files.

    Args:
        depends: settings, digest of the code, seed.
        files: paths, or lists of paths.
    """
    images = [part.digest for part in (real, extra) if part is not None]
    paths = [path for each in files for path in ([each] if isinstance(each, str | Path) else each)]
    return name_checkpoint(output, {**depends, "images": images}, paths)
