"""Facts of each loader: the keys it reads, what its path names, how large its data is.

Standard library only, since the workflow reads it while it is parsed. `images.loaders.registry`
maps the same names to functions; a test checks it, the schema and docs/data-sets.md against this
table.
"""

from typing import NamedTuple


class Size(NamedTuple):
    """How large a published data set is."""

    train: int  # images that come as training images, or in all where the source has one part
    test: int  # images that come as test images; 0 where the test set is drawn from the others
    classes: int
    side: int  # pixels; the longer side where images are not square


class Archive(NamedTuple):
    """Where an archive is published, and its MD5 checksum."""

    url: str
    md5: str

    @property
    def name(self) -> str:
        return self.url.rsplit("/", 1)[1]


class Loader(NamedTuple):
    """One kind of raw data."""

    keys: tuple[str, ...]  # keys of the section `images` that it reads
    path: str  # what `path` must name; "" where it must be null
    null: bool  # whether `path` may be null: the data is then found, downloaded or built in
    size: Size | None = None  # None for the user's own data
    archive: Archive | None = None  # downloaded where `path` is null
    page: str = ""  # where to download it by hand
    pool: int = 0  # the labelled set is drawn from the last this many training images; 0: from all

    @property
    def per_class(self) -> bool:
        """Whether splits are numbers of images per class from a pool, instead of fractions."""
        return self.pool > 0


PER_CLASS = (
    "labels_per_class",
    "validation_per_class",
    "extra_per_class",
    "test_per_class",
    "oracle_per_class",
)
WITH_TEST = ("labels_per_class", "validation_fraction")  # arrays with a test set of their own
FILES = ("labels_per_class", "validation_fraction", "test_fraction", "unreadable", "fit")
CIFAR_PATH = "its archive (Python or binary form), or the folder that it unpacks to"

LOADERS = {
    "fashion_mnist": Loader(
        PER_CLASS,
        path="a folder of the four IDX files",
        null=True,
        size=Size(train=60_000, test=10_000, classes=10, side=28),
        pool=10_000,
    ),
    "cifar10": Loader(
        WITH_TEST,
        path=CIFAR_PATH,
        null=True,
        size=Size(train=50_000, test=10_000, classes=10, side=32),
        archive=Archive(
            "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
            "c58f30108f718f92721af3b95e74349a",
        ),
    ),
    "cifar100": Loader(
        WITH_TEST,
        path=CIFAR_PATH,
        null=True,
        size=Size(train=50_000, test=10_000, classes=100, side=32),
        archive=Archive(
            "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
            "eb9058c3a382ffc7106e4002c42a8d85",
        ),
    ),
    "tiny_imagenet": Loader(
        (*WITH_TEST, "unreadable"),
        path="tiny-imagenet-200.zip, or the folder that it unpacks to",
        null=True,
        size=Size(train=100_000, test=10_000, classes=200, side=64),
        archive=Archive(
            "http://cs231n.stanford.edu/tiny-imagenet-200.zip",
            "90528d7ca1a48142e341f4ef8d21d0de",
        ),
    ),
    "caltech101": Loader(
        FILES,
        path="caltech-101.zip, 101_ObjectCategories.tar.gz, or the folder that one unpacks to",
        null=True,
        size=Size(train=8_677, test=0, classes=101, side=300),
        archive=Archive(
            "https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip",
            "3138e1922a9193bfa496528edbbc45d0",
        ),
    ),
    "brain_tumor": Loader(
        FILES,
        path="the folder of its zip files, one archive of all, or the folder of its .mat files",
        null=False,
        size=Size(train=3_064, test=0, classes=3, side=512),
        page="https://figshare.com/articles/dataset/brain_tumor_dataset/1512427",
    ),
    "digits": Loader(
        (*WITH_TEST, "test_fraction"),
        path="",
        null=True,
        size=Size(train=1_797, test=0, classes=10, side=8),
    ),
    "imagefolder": Loader(
        FILES,
        path="a folder with a folder of images per class, or an archive of it",
        null=False,
    ),
    "csv": Loader(FILES, path="a CSV file with the columns path and label", null=False),
    "huggingface": Loader(
        (*FILES, "image_column", "label_column"),
        path="a folder that save_to_disk wrote, or Parquet with a column of images",
        null=False,
    ),
}
