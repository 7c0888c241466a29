"""The published sizes of known data sets, for estimates before anything is read."""

from typing import NamedTuple

POOL = 10_000  # Fashion-MNIST's training images, from the last, of which the target's are taken


class Size(NamedTuple):
    """How large a data set is."""

    train: int  # images that come as training images, or in all where the source has one part
    test: int  # images that come as test images; 0 where the test set is drawn from the others
    classes: int
    side: int  # pixels; the longer side where images are not square


SIZES = {
    "fashion_mnist": Size(60_000, 10_000, 10, 28),
    "cifar10": Size(50_000, 10_000, 10, 32),
    "cifar100": Size(50_000, 10_000, 100, 32),
    "tiny_imagenet": Size(100_000, 10_000, 200, 64),
    "caltech101": Size(8_677, 0, 101, 300),
    "brain_tumor": Size(3_064, 0, 3, 512),
    "digits": Size(1_797, 0, 10, 8),
}


def known_size(loader: str) -> Size | None:
    """The size of a loader's data set; None where it is a person's own."""
    return SIZES.get(loader)
