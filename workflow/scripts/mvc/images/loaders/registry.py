"""The kinds of raw data, each read into records: what can be used, and a report of what cannot."""

from collections.abc import Callable

from mvc.images.loaders.brain_tumor import brain_tumor
from mvc.images.loaders.cifar import cifar10, cifar100
from mvc.images.loaders.digits import digits
from mvc.images.loaders.fashion_mnist import fashion_mnist
from mvc.images.loaders.folder_trees import caltech101, csv, imagefolder
from mvc.images.loaders.huggingface import huggingface
from mvc.images.loaders.tiny_imagenet import tiny_imagenet
from mvc.images.records import Loaded

# name in the config: function of the data set's settings, its key, the data folder and threads
FUNCTIONS: dict[str, Callable[..., Loaded]] = {
    "fashion_mnist": fashion_mnist,
    "cifar10": cifar10,
    "cifar100": cifar100,
    "tiny_imagenet": tiny_imagenet,
    "caltech101": caltech101,
    "brain_tumor": brain_tumor,
    "digits": digits,
    "imagefolder": imagefolder,
    "csv": csv,
    "huggingface": huggingface,
}
