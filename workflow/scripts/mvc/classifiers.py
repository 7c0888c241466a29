"""Train a Wide-ResNet on real images, with or without extra ones, and measure its accuracy.

Images are normalised by the mean and deviation of the real training images, in every arm.
Axes: n images, 3 channels, h and w pixels, b images of a batch.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float32, UInt8
from torch import Tensor, nn

from mvc import batches, wide_resnet
from mvc.augment import augment
from mvc.augment_policies import Policy, autoaugment, randaugment
from mvc.labelled import Labelled, check_apart, check_classes
from mvc.provenance import stream_seed
from mvc.training import Augment, predict, statistics, train

AUGMENTATIONS = ("default", "aa", "ra")


@dataclass(frozen=True)
class Recipe:
    """How to train and augment: the config section `classifiers` for one arm.

    `ra` holds n and m (see `augment_policies`), `phase2` share and lr_scale, `rsp` p and mode (see
    `batches`).
    """

    augmentation: str  # default: crop and flip alone; aa, ra: a policy before them
    batch_size: int
    lr: int | float
    weight_decay: int | float
    clip: int | float  # gradient norm
    epochs: int | float | None = None
    updates: int | None = None
    pad: int = 4  # pixels
    flip: bool = True
    cutout: int = 0  # pixels; 0: none
    fill: str = "black"  # what geometric operations move in: black, or the training images' mean
    ra: dict = field(default_factory=dict)
    strategy: str | None = None
    phase2: dict = field(default_factory=dict)
    rsp: dict = field(default_factory=dict)

    def policy(self, size: tuple[int, int]) -> Policy | None:
        """The augmentation policy for images of (h, w) pixels."""
        if self.augmentation not in AUGMENTATIONS:
            allowed = ", ".join(AUGMENTATIONS)
            raise ValueError(
                f"classifiers.arms: augmentation = {self.augmentation}; must be one of {allowed}"
            )
        if self.augmentation == "ra":
            return randaugment(self.ra["n"], self.ra["m"], size)
        return autoaugment(size) if self.augmentation == "aa" else None


@dataclass(frozen=True)
class Fitted:
    """A trained network with the channel statistics (0..255) of its training images."""

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
    plan = batches.phases(
        real.labels,
        extra.labels if extra else real.labels[:0],
        length=batches.Length(recipe.batch_size, recipe.epochs, recipe.updates),
        lr=recipe.lr, strategy=recipe.strategy, order=order, choice=choice,
        **recipe.phase2, **recipe.rsp,
    )  # fmt: skip
    print(" + ".join(f"{len(part.labels):,}" for part in parts), "images (real + extra),", recipe)
    images = torch.cat([part.images for part in parts]).to(device)
    labels = torch.cat([part.labels for part in parts]).to(device)
    mean, std = statistics(real.images.to(device))
    net = wide_resnet.build(model, len(real.class_names), generator=weights)
    net = net.to(device, memory_format=torch.channels_last)
    updates = train(
        net, images, labels, plan, weight_decay=recipe.weight_decay, clip=recipe.clip,
        prepare=augmentation(recipe, mean, std, tuple(images.shape[2:]), draws),
    )  # fmt: skip
    return Fitted(net, mean, std, updates)


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


def augmentation(
    recipe: Recipe,
    mean: Float32[Tensor, " 3"],
    std: Float32[Tensor, " 3"],
    size: tuple[int, int],
    generator: torch.Generator,
) -> Augment:
    """The recipe's augmentation as a function of a batch."""
    policy = recipe.policy(size)
    fill = (mean.round() if recipe.fill == "mean" else torch.zeros_like(mean)).byte()

    def prepare(images: UInt8[Tensor, "b 3 h w"]) -> Float32[Tensor, "b 3 h w"]:
        return augment(
            images, policy=policy, pad=recipe.pad, flip=recipe.flip, cutout_size=recipe.cutout,
            mean=mean, std=std, fill=fill, generator=generator,
        )  # fmt: skip

    return prepare


def percent(correct: Bool[Tensor, " n"]) -> float:
    """Share of true values, in percent."""
    return round(100 * correct.double().mean().item(), 4)
