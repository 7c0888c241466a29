"""Train one network on real images, with or without extra ones.

Axes: n images, 3 channels, h and w pixels.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float32
from torch import Tensor, nn

from mvc.core.image_set import Labelled, check_classes
from mvc.core.seeds import derive_seed
from mvc.training import networks, strategies
from mvc.training.hyperparameters import Hyperparameters, build_augmentation
from mvc.training.loop import measure_statistics, move_to_device, train


@dataclass(frozen=True)
class Fitted:
    """A trained network with the mean and deviation (0..255) that its inputs are normalised by."""

    net: nn.Module
    mean: Float32[Tensor, " 3"]
    std: Float32[Tensor, " 3"]
    steps: int


def fit(
    real: Labelled,
    extra: Labelled | None,
    *,
    model: str,
    hyperparameters: Hyperparameters,
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
    order, choice, draws, weights = seed_streams(root, seed)
    plan = plan_training(real, extra, hyperparameters, order=order, choice=choice)
    print(
        " + ".join(f"{len(part.labels):,}" for part in parts),
        "images (real + extra),",
        hyperparameters,
    )
    images = torch.cat([part.images for part in parts]) if extra else real.images
    labels = torch.cat([part.labels for part in parts]).to(device)
    network = networks.build(
        model,
        len(real.class_names),
        weights=hyperparameters.weights,
        size=tuple(images.shape[2:]),
        generator=weights,
    )
    net = network.net.to(device, memory_format=torch.channels_last)
    images = move_to_device(images, device)
    known = (
        (network.mean, network.std) if hyperparameters.weights else measure_statistics(real.images)
    )
    mean, std = (values.to(device) for values in known)
    steps = train(
        net,
        images,
        labels,
        plan,
        optimizer=hyperparameters.optimizer,
        max_grad_norm=hyperparameters.max_grad_norm,
        weight_decay=hyperparameters.weight_decay,
        augment_batch=build_augmentation(
            hyperparameters, mean, std, tuple(images.shape[2:]), draws
        ),
    )
    return Fitted(net, mean, std, steps)


def plan_training(
    real: Labelled,
    extra: Labelled | None,
    hyperparameters: Hyperparameters,
    *,
    order: torch.Generator,
    choice: torch.Generator,
) -> list[strategies.Phase]:
    """The phases of a training by its hyperparameters.

    Raises:
        ValueError: extra images in an arm that is to be trained as long as one that has them.
    """
    length = strategies.Length(
        hyperparameters.batch_size, hyperparameters.epochs, hyperparameters.steps
    )
    if (per_real := hyperparameters.steps_as_with) is not None:
        if extra:
            raise ValueError(f"classifiers.steps_as_with = {per_real}; null with extra images")
        share = {k: v for k, v in hyperparameters.phase2.items() if k == "share"}
        length = strategies.lengthen(
            length, real.labels, per_real, strategy=hyperparameters.strategy, **share
        )
    return strategies.plan_phases(
        real.labels,
        extra.labels if extra else real.labels[:0],
        length=length,
        learning_rate=hyperparameters.learning_rate,
        strategy=hyperparameters.strategy,
        order=order,
        choice=choice,
        **hyperparameters.phase2,
        **hyperparameters.rsp,
    )


def seed_streams(root: int, seed: int) -> list[torch.Generator]:
    """Generators of the order of images, the choice of extra ones, augmentation and weights."""
    names = ("order", "choice", "augment", "weights")
    seeds = (derive_seed(root, f"classifiers/{name}", seed) for name in names)
    return [torch.Generator().manual_seed(s) for s in seeds]
