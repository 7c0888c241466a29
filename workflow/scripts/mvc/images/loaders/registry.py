"""Loaders by name: each reads one kind of raw data into usable items and a report of the rest."""

from collections.abc import Callable

from mvc.images.items import Loaded
from mvc.images.loaders.brain_tumor import load_brain_tumor
from mvc.images.loaders.cifar import load_cifar10, load_cifar100
from mvc.images.loaders.digits import load_digits
from mvc.images.loaders.fashion_mnist import load_fashion_mnist
from mvc.images.loaders.folder_trees import load_caltech101, load_csv, load_imagefolder
from mvc.images.loaders.huggingface import load_huggingface
from mvc.images.loaders.tiny_imagenet import load_tiny_imagenet

# by name in the configuration; called with a data set's settings, its key, data folder, threads
FUNCTIONS: dict[str, Callable[..., Loaded]] = {
    "fashion_mnist": load_fashion_mnist,
    "cifar10": load_cifar10,
    "cifar100": load_cifar100,
    "tiny_imagenet": load_tiny_imagenet,
    "caltech101": load_caltech101,
    "brain_tumor": load_brain_tumor,
    "digits": load_digits,
    "imagefolder": load_imagefolder,
    "csv": load_csv,
    "huggingface": load_huggingface,
}
