"""A classifier taken home: opened, and asked."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from mvc.classifiers import folder as folders
from mvc.classifiers.folder import Classifier
from mvc.classifiers.predictions import predict_batches
from mvc.core.device import pick_device
from mvc.library.arguments import Picture, read_images


def load_classifier(folder: str | Path) -> Classifier:
    """Open the folder of a classifier, which `snakemake results/<data set>/classifier` makes.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is another folder.
    """
    return folders.load_classifier(folder, device=pick_device())


def predict(classifier: Classifier, images: Iterable[Picture]) -> pd.DataFrame:
    """Predict the class of images, as `predict.py` does.

    Args:
        classifier: what `load_classifier` returns.
        images: paths or Pillow's images.

    Returns:
        A row for each image: `class`, its `probability`, and `probability: <name>` of each class.

    Raises:
        ValueError: an image cannot be decoded; says which.
    """
    labels, shares = predict_batches(classifier, read_images(images))
    columns = [f"probability: {name}" for name in classifier.classes]
    frame = pd.DataFrame(shares, columns=columns)
    frame.insert(0, "class", [classifier.classes[label] for label in labels])
    frame.insert(1, "probability", shares.max(axis=1))
    return frame
