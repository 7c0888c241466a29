"""Train a classifier on real images, with or without extra ones, and measure its accuracy.

Images are normalised by the mean and deviation of the real training images, in every arm; or, where
training starts from weights, by those that the weights expect.
Axes: n images, 3 channels, h and w pixels, b images of a batch.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32
from torch import Tensor, nn

from mvc.training import strategies
from mvc.training import networks
from mvc.core.image_set import Labelled, check_apart, check_classes
from mvc.config.code import stream_seed
from mvc.training.loop import placed, predict, statistics, train
from mvc.training.hyperparameters import Recipe, augmentation


@dataclass(frozen=True)
class Fitted:
    """A trained network with the mean and deviation (0..255) that its inputs are normalised by."""

    net: nn.Module
    mean: Float32[Tensor, " 3"]
    std: Float32[Tensor, " 3"]
    updates: int


def run(
    real: Labelled,
    extra: Labelled | None,
    evaluation: Callable[[], Labelled],
    *,
    model: str,
    recipe: Recipe,
    root: int,
    seed: int,
    device: torch.device,
) -> dict:
    """Train one classifier, then measure it.

    Args:
        real: labelled training images. extra: further ones, or None.
        evaluation: called after training, so that nothing before can see what it returns.
        root, seed: the workflow's seed and the run's: see `fit`.

    Returns:
        accuracy, per_class (by name; classes with images to evaluate), train_accuracy: percent;
        n_train, n_extra, n_test, updates: counts; seconds.
    """
    start = time.perf_counter()
    fitted = fit(real, extra, model=model, recipe=recipe, root=root, seed=seed, device=device)
    held_out = evaluation()
    check_classes(real, held_out, "evaluation")
    check_apart(held_out, [real] if extra is None else [real, extra])
    return {
        **evaluate(fitted, held_out),
        "train_accuracy": evaluate(fitted, real)["accuracy"],
        "n_train": len(real.labels),
        "n_extra": 0 if extra is None else len(extra.labels),
        "n_test": len(held_out.labels),
        "updates": fitted.updates,
        "seconds": round(time.perf_counter() - start, 2),
    }


def fit(
    real: Labelled,
    extra: Labelled | None,
    *,
    model: str,
    recipe: Recipe,
    root: int,
    seed: int,
    device: torch.device,
) -> Fitted:
    """Train one classifier on real and extra images.

    Random numbers depend on `root` and `seed` alone: in every arm, runs of one seed start from the
    same weights and, where strategies allow it, see the same real batches: they compare in pairs.
    """
    parts = [real, extra] if extra else [real]
    for part, name in zip(parts, ("training", "extra"), strict=False):
        check_classes(real, part, name)
    order, choice, draws, weights = streams(root, seed)
    plan = planned(real, extra, recipe, order=order, choice=choice)
    print(" + ".join(f"{len(part.labels):,}" for part in parts), "images (real + extra),", recipe)
    images = torch.cat([part.images for part in parts]) if extra else real.images
    labels = torch.cat([part.labels for part in parts]).to(device)
    network = networks.build(
        model, len(real.class_names), weights=recipe.weights, size=tuple(images.shape[2:]),
        generator=weights,
    )  # fmt: skip
    net = network.net.to(device, memory_format=torch.channels_last)
    images = placed(images, device)
    known = (network.mean, network.std) if recipe.weights else statistics(real.images)
    mean, std = (values.to(device) for values in known)
    updates = train(
        net, images, labels, plan, optimiser=recipe.optimiser, clip=recipe.clip,
        weight_decay=recipe.weight_decay,
        prepare=augmentation(recipe, mean, std, tuple(images.shape[2:]), draws),
    )  # fmt: skip
    return Fitted(net, mean, std, updates)


def planned(
    real: Labelled,
    extra: Labelled | None,
    recipe: Recipe,
    *,
    order: torch.Generator,
    choice: torch.Generator,
) -> list[strategies.Phase]:
    """The phases of a training by its recipe.

    Raises:
        ValueError: extra images in an arm that is to be trained as long as one that has them.
    """
    length = strategies.Length(recipe.batch_size, recipe.epochs, recipe.updates)
    if (per_real := recipe.updates_as_with) is not None:
        if extra:
            raise ValueError(f"classifiers.updates_as_with = {per_real}; null with extra images")
        share = {k: v for k, v in recipe.phase2.items() if k == "share"}
        length = strategies.lengthened(
            length, real.labels, per_real, strategy=recipe.strategy, **share
        )
    return strategies.phases(
        real.labels, extra.labels if extra else real.labels[:0], length=length, lr=recipe.lr,
        strategy=recipe.strategy, order=order, choice=choice, **recipe.phase2, **recipe.rsp,
    )  # fmt: skip


def streams(root: int, seed: int) -> list[torch.Generator]:
    """Generators of the order of images, the choice of extra ones, augmentation and weights."""
    names = ("order", "choice", "augment", "weights")
    seeds = (stream_seed(root, f"classifiers/{name}", seed) for name in names)
    return [torch.Generator().manual_seed(s) for s in seeds]


def evaluate(fitted: Fitted, part: Labelled) -> dict:
    """Accuracy, and accuracy of each class with images in `part`, in percent; unaugmented."""
    found = predict(fitted.net, part.images, mean=fitted.mean, std=fitted.std)
    correct = found == part.labels
    names = part.class_names.items()
    per_class = {name: percent(correct[part.labels == label]) for label, name in names}
    return {"accuracy": percent(correct), "per_class": per_class}


def percent(correct: Bool[Tensor, " n"]) -> float:
    """Share of true values, in percent."""
    return round(100 * correct.double().mean().item(), 4)
