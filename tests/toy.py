"""Toy images of three classes, learnt in a few steps, and settings to learn them with."""

import numpy as np
import torch
from mvc.core import image_tables, pixels
from mvc.core.image_set import Labelled
from mvc.training.hyperparameters import Hyperparameters

CPU = torch.device("cpu")
NAMES = {0: "boot", 1: "bag", 2: "ankle boot"}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def toy(n=24, seed=0, names=NAMES, prefix="train", size=8):
    """Classes that differ in brightness: learnt in a few steps."""
    rng = np.random.default_rng(seed)
    labels = torch.arange(n) % len(names)
    noise = torch.from_numpy(rng.integers(0, 40, (n, 3, size, size)))
    images = (labels[:, None, None, None] * 80 + noise).byte()
    return Labelled(images, labels, dict(names), frozenset(f"{prefix}/{i}" for i in range(n)))


def hyperparameters(**changes):
    plain = {
        "augmentation": "default",
        "batch_size": 8,
        "learning_rate": 0.05,
        "weight_decay": 5e-4,
    }
    return Hyperparameters(**{**plain, "max_grad_norm": 5.0, "steps": 6, "pad": 1, **changes})


def table(part, prefix, source=None):
    n = len(part.labels)
    columns = {} if source is None else {"source_image_id": [f"{source}/{i % 8}" for i in range(n)]}
    return image_tables.build_table(
        data=pixels.encode(part.images, grayscale=False),
        labels=part.labels.tolist(),
        class_names=[part.class_names[k] for k in part.labels.tolist()],
        image_ids=[f"{prefix}/{i}" for i in range(n)],
        **columns,
    )
