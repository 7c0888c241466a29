"""The kinds of raw data, each read into records: what can be used, and a report of what cannot."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from mvc.images.loaders import fashion_mnist
from mvc.config.catalogue import POOL
from mvc.images.loaders.brain_tumor import brain_tumor
from mvc.images.loaders.cifar import cifar10, cifar100
from mvc.images.loaders.folder_trees import caltech101, csv, imagefolder
from mvc.images.loaders.huggingface import huggingface
from mvc.images.loaders.tiny_imagenet import tiny_imagenet
from mvc.images.records import Loaded, array_records

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def fashion_mnist(cfg: dict, *, key: str, data: Path, threads: int) -> Loaded:
    """Fashion-MNIST's records: the last `POOL` training images, the test set, and the rest.

    The rest is the corpus of the miniature foundation models, apart from the target's images.
    """
    arrays, source, failures = fashion_mnist.find(cfg["path"], data=data, key=f"{key}.path")
    train = array_records(arrays.train_images, arrays.train_labels, name="train", part="train")
    start = max(len(train) - POOL, 0)
    records = [record._replace(part="judge") for record in train[:start]] + train[start:]
    records += array_records(arrays.test_images, arrays.test_labels, name="test", part="test")
    report = {"loader": "fashion_mnist", "source": source, "tried": failures, "warnings": []}
    return fashion_mnist.CLASSES, records, report | {"found": len(records)}


def digits(cfg: dict, *, key: str, data: Path, threads: int) -> Loaded:
    """scikit-learn's handwritten digits: 1,797 grey images of 8 x 8 pixels, which come with it."""
    from sklearn.datasets import load_digits

    if cfg["path"]:
        raise ValueError(f"{key}.path = {cfg['path']}; must be null: the digits come by themselves")
    found = load_digits()
    pixels = np.round(found.images * (255 / 16)).astype(np.uint8)
    records = array_records(pixels, found.target, name="digits", part="all")
    report = {"loader": "digits", "source": "scikit-learn", "found": len(records), "warnings": []}
    return DIGITS, records, report


# name in the config: function of the data set's settings, its key, the data folder and threads
LOADERS: dict[str, Callable[..., Loaded]] = {
    "fashion_mnist": fashion_mnist,
    "cifar10": cifar10,
    "cifar100": cifar100,
    "tiny_imagenet": tiny_imagenet,
    "caltech101": caltech101,
    "brain_tumor": brain_tumor,
    "imagefolder": imagefolder,
    "csv": csv,
    "huggingface": huggingface,
    "digits": digits,
}
