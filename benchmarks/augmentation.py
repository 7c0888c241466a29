"""Batched augmentation in memory against a DataLoader with per-image transforms.

Both draw RandAugment or AutoAugment, a random crop, a flip and normalise 3 x 28 x 28 images into
float batches of 64. One CPU thread each; the DataLoader also with one worker process a core.
Prints images a second and their ratio.

    python benchmarks/augmentation.py
"""

import argparse
import os
import sys
import time
from pathlib import Path

import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow" / "scripts"))

from mvc.training.augment import augment
from mvc.training.autoaugment import build_autoaugment, build_randaugment
from mvc.training.loop import augment_block, group_batches
from mvc.training.strategies import shuffle_batches
from race import parse_options

MEAN, STD = torch.full((3,), 73.0), torch.full((3,), 90.0)
BATCH = 64


class PerImage(Dataset):
    """Images in memory, through Pillow one by one, as the CIFAR data sets of torchvision do."""

    def __init__(self, images, policy):
        self.images = images.permute(0, 2, 3, 1).numpy()
        self.transform = transforms.Compose(
            [
                policy,
                transforms.RandomCrop(28, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize((MEAN / 255).tolist(), (STD / 255).tolist()),
            ]
        )

    def __len__(self):
        return len(self.images)

    def __getitem__(self, row):
        return self.transform(Image.fromarray(self.images[row]))


def time_batched(images, policy):
    """Seconds for one pass, as the classifiers' training loop takes its batches."""
    generator, fill = torch.Generator().manual_seed(0), torch.zeros(3, dtype=torch.uint8)

    def prepare(part):
        return augment(
            part,
            policy=policy,
            pad=4,
            flip=True,
            cutout_size=0,
            mean=MEAN,
            std=STD,
            fill=fill,
            generator=generator,
        )

    labels = torch.zeros(len(images), dtype=torch.int64)
    start = time.perf_counter()
    order = shuffle_batches(len(images), len(images), BATCH, generator=generator)
    seen = 0
    for block in group_batches(order, images):
        for inputs, _ in augment_block(block, images, labels, prepare, images.device):
            seen += len(inputs)
    assert seen == len(images)
    return time.perf_counter() - start


def time_per_image(images, policy, workers):
    """Seconds for one pass of the DataLoader, its start included."""
    loader = DataLoader(PerImage(images, policy), BATCH, shuffle=True, num_workers=workers)
    start = time.perf_counter()
    assert sum(len(inputs) for inputs in loader) == len(images)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=10_000)
    n = parse_options(parser, images=2 * BATCH).images
    torch.set_num_threads(1)
    images = torch.randint(256, (n, 3, 28, 28), dtype=torch.uint8)
    cifar = transforms.AutoAugmentPolicy.CIFAR10
    pairs = {
        "RandAugment": (build_randaugment(2, 9, (28, 28)), transforms.RandAugment(2, 9)),
        "AutoAugment": (build_autoaugment((28, 28)), transforms.AutoAugment(cifar)),
    }
    for name, (ours, theirs) in pairs.items():
        time_batched(images[:1000], ours)
        fast = time_batched(images, ours)
        for workers in (0, os.cpu_count()):
            slow = time_per_image(images, theirs, workers)
            print(
                f"{name}: batched {n / fast:,.0f} images/s, DataLoader with {workers} workers "
                f"{n / slow:,.0f} images/s: {slow / fast:.1f} times"
            )


if __name__ == "__main__":
    main()
