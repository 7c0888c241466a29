"""Training of one network on real images, with or without extra ones.

Axes: n images, 3 channels, h and w pixels.
"""

from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float32
from torch import Tensor, nn

from mvc.core.image_set import Labelled, check_classes
from mvc.core.seeds import derive_seed
from mvc.training import networks, strategies
from mvc.training.hyperparameters import Hyperparameters, build_augmentation
from mvc.training.loop import measure_statistics, move_to_device, train
from mvc.training.resuming import Checkpoint


@dataclass(frozen=True)
class Fitted:
    """A network, the mean and deviation (0..255) that normalise its inputs, and its steps.

    `seconds_before` is the time that it was trained before this process went on with it.
    """

    net: nn.Module
    mean: Float32[Tensor, " 3"]
    std: Float32[Tensor, " 3"]
    steps: int
    seconds_before: float = 0.0


def fit(
    real: Labelled,
    extra: Labelled | None,
    *,
    model: str,
    hyperparameters: Hyperparameters,
    root: int,
    seed: int,
    device: torch.device,
    checkpoint: Path | None = None,
) -> Fitted:
    """Train one classifier on real and extra images.

    Random numbers depend on `root` and `seed` alone: in every arm, runs of one seed start from the
    same weights and, where strategies allow it, see the same real batches, so they are paired.

    Args:
        checkpoint: file that a stopped training goes on from (see `resuming`); None keeps none.
    """
    parts = [real] if extra is None else [real, extra]
    for part, name in zip(parts, ("training", "extra"), strict=False):
        check_classes(real, part, name)
    order, choice, draws, weights = seed_streams(root, seed)
    phases = plan_training(real, extra, hyperparameters, order=order, choice=choice)
    counts = " + ".join(f"{len(part.labels):,}" for part in parts)
    print(f"{counts} images (real + extra), {hyperparameters}")
    labels = torch.cat([part.labels for part in parts])
    fitted = build_network(real, model, hyperparameters.weights, generator=weights, device=device)
    size = tuple(real.images.shape[2:])
    kept = None if checkpoint is None else Checkpoint(checkpoint, draws)
    with kept or nullcontext():
        steps = train(
            fitted.net,
            move_to_device([part.images for part in parts], device),
            labels.to(device),
            phases,
            optimizer=hyperparameters.optimizer,
            max_grad_norm=hyperparameters.max_grad_norm,
            weight_decay=hyperparameters.weight_decay,
            augment_batch=build_augmentation(hyperparameters, fitted.mean, fitted.std, size, draws),
            checkpoint=kept,
        )
    return replace(fitted, steps=steps, seconds_before=kept.seconds if kept else 0.0)


def build_network(
    real: Labelled,
    model: str,
    weights: str | None,
    *,
    generator: torch.Generator,
    device: torch.device,
) -> Fitted:
    """Build the network to train, with inputs normalised as its weights expect, or as `real` is.

    Args: see `networks.build`.
    """
    network = networks.build(
        model,
        len(real.class_names),
        size=tuple(real.images.shape[2:]),
        generator=generator,
        weights=weights,
    )
    mean, std = network.mean, network.std
    if weights is None:
        mean, std = measure_statistics(real.images)
    net = network.net.to(device, memory_format=torch.channels_last)
    return Fitted(net, mean.to(device), std.to(device), steps=0)


def plan_training(
    real: Labelled,
    extra: Labelled | None,
    hyperparameters: Hyperparameters,
    *,
    order: torch.Generator,
    choice: torch.Generator,
) -> list[strategies.Phase]:
    """Plan the phases of one training.

    Raises:
        ValueError: there are extra images, and `steps_as_with` is set.
    """
    length = strategies.Length(
        hyperparameters.batch_size, hyperparameters.epochs, hyperparameters.steps
    )
    if hyperparameters.steps_as_with is not None:
        if extra is not None:
            raise ValueError(
                f"classifiers.steps_as_with = {hyperparameters.steps_as_with}; "
                "must be null with extra images"
            )
        length = strategies.lengthen(
            length,
            real.labels,
            hyperparameters.steps_as_with,
            strategy=hyperparameters.strategy,
            share=hyperparameters.phase2.get("share", strategies.SHARE),
        )
    return strategies.plan_phases(
        real.labels,
        real.labels[:0] if extra is None else extra.labels,
        length=length,
        learning_rate=hyperparameters.learning_rate,
        strategy=hyperparameters.strategy,
        order=order,
        choice=choice,
        **hyperparameters.phase2,
        **hyperparameters.rsp,
    )


def seed_streams(root: int, seed: int) -> list[torch.Generator]:
    """Seed generators of the images' order, the choice of extra ones, augmentation and weights."""
    names = ("order", "choice", "augment", "weights")
    seeds = (derive_seed(root, f"classifiers/{name}", seed) for name in names)
    return [torch.Generator().manual_seed(s) for s in seeds]
