"""Batched augmentation in memory against a DataLoader with per-image transforms.

    python benchmarks/augmentation.py [--images 10000]

Both draw RandAugment or AutoAugment, a random crop, a flip and normalise 3 x 28 x 28 images into
float batches of 64. One pass is timed, the start of the DataLoader's workers included.
"""

import argparse
import itertools
import sys
from functools import partial
from pathlib import Path

import torch
from torch.utils.data import DataLoader
from torchvision import transforms

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow" / "scripts"))

from mvc.training.augment import augment
from mvc.training.autoaugment import Policy, build_autoaugment, build_randaugment
from mvc.training.loop import augment_block, group_batches
from mvc.training.strategies import shuffle_batches
from per_image import PerImage, list_augmentation
from race import parse_options, race

MEAN, STD = 73.0, 90.0  # of 0..255
SIZE = 28
BATCH = 64
GOAL = 5.0


def augment_here(images: torch.Tensor, labels: torch.Tensor, policy: Policy) -> None:
    """Make one pass, as the classifiers' training loop takes its batches."""
    generator = torch.Generator().manual_seed(0)
    prepare = partial(
        augment,
        policy=policy,
        pad=4,
        flip=True,
        cutout_size=0,
        mean=torch.full((3,), MEAN),
        std=torch.full((3,), STD),
        fill=torch.zeros(3, dtype=torch.uint8),
        generator=generator,
    )
    order = shuffle_batches(len(images), len(images), BATCH, generator=generator)
    blocks = group_batches(order, images)
    batches = (augment_block(each, [images], labels, prepare, images.device) for each in blocks)
    count_images(itertools.chain.from_iterable(batches), len(images))


def augment_by_loader(images: PerImage, workers: int) -> None:
    """Make one pass of the DataLoader."""
    count_images(DataLoader(images, BATCH, shuffle=True, num_workers=workers), len(images))


def count_images(batches, expected: int) -> None:
    """Read all batches."""
    assert sum(len(inputs) for inputs, _ in batches) == expected


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parse_options(parser, images=2 * BATCH, repeats=1)
    n = options.images
    images = torch.randint(256, (n, 3, SIZE, SIZE), dtype=torch.uint8)
    labels = torch.zeros(n, dtype=torch.int64)
    cifar = transforms.AutoAugmentPolicy.CIFAR10
    policies = {
        "RandAugment": (build_randaugment(2, 9, (SIZE, SIZE)), transforms.RandAugment(2, 9)),
        "AutoAugment": (build_autoaugment((SIZE, SIZE)), transforms.AutoAugment(cifar)),
    }
    scale = dict(mean=[MEAN / 255] * 3, std=[STD / 255] * 3)
    for name, (ours, theirs) in policies.items():
        single = PerImage(images, labels.tolist(), list_augmentation(theirs, SIZE), **scale)
        race(
            {
                "whole batches": partial(augment_here, images, labels, ours),
                "DataLoader, two workers": partial(augment_by_loader, single, 2),
                "DataLoader, no workers": partial(augment_by_loader, single, 0),
            },
            of=f"{name} of {n:,} images",
            options=options,
            goals={"DataLoader, two workers": GOAL},
        )


if __name__ == "__main__":
    main()
