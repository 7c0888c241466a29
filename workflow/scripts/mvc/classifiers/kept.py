"""Weights of a run, kept beside its record: `classifiers/<model>/<arm>/<seed>.safetensors`.

The record, but for its seconds, is in the file's metadata: weights whose record is not the one on
disk are those of an older training. Axes: 3 channels, h and w pixels.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mvc.classifiers.measures import find_validation
from mvc.core.atomic import atomic
from mvc.core.image_set import Labelled, has_equal_channels
from mvc.training.fit import Fitted


@dataclass(frozen=True)
class Description:
    """What a run's weights are: all that is needed to use them, but how images become squares.

    `mean` and `std` (0..255) normalise the inputs; `size` is (h, w).
    """

    network: str
    weights: str | None  # initial ones: see `networks.build`
    classes: list[str]
    mean: list[float]
    std: list[float]
    size: list[int]
    grayscale: bool  # whether all real training images are grey


def save_weights(
    fitted: Fitted,
    real: Labelled,
    settings: Mapping,
    record: Mapping,
    path: str | Path,
    *,
    keep: str,
) -> None:
    """Save a run's weights beside its record, where they are kept; remove those of an older run.

    Args:
        real: the real training images.
        settings: of the run; `network` and `weights` are read.
        record: of the run, which is not yet on disk.
        path: of the record.
        keep: `classifiers.keep`; `best` keeps no weights of which validation images cannot say
            whether they are the best.
    """
    weights = name_weights(path)
    weights.unlink(missing_ok=True)
    if keep == "none" or (keep == "best" and not find_validation(record)):
        return
    description = Description(
        network=settings["network"],
        weights=settings.get("weights"),
        classes=list(real.class_names.values()),
        mean=fitted.mean.tolist(),
        std=fitted.std.tolist(),
        size=list(real.images.shape[2:]),
        grayscale=has_equal_channels(real.images),
    )
    tensors = {k: v.detach().cpu().contiguous() for k, v in fitted.net.state_dict().items()}
    about = {"record": _drop_seconds(record), "description": asdict(description)}
    with atomic(weights) as temporary:  # one key: safetensors writes several in any order
        save_file(tensors, temporary, {"about": json.dumps(about)})


def load_weights(path: str | Path, record: Mapping) -> tuple[dict[str, Tensor], Description]:
    """Load the weights of a run.

    Args:
        path: of the record on disk.

    Raises:
        ValueError: they were not kept, or are damaged; says how to have them.
    """
    weights = name_weights(path)
    try:
        with safe_open(weights, "pt") as file:
            about = json.loads(file.metadata()["about"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except FileNotFoundError:
        reason = "they were not kept, or not any more (classifiers.keep)"
    except (OSError, SafetensorError) as error:
        reason = f"they are damaged ({error})"
    else:
        if about["record"] == _drop_seconds(record):
            return tensors, Description(**about["description"])
        reason = "those there are of an older training"
    raise ValueError(
        f"no weights of {path}, the run with the highest validation accuracy: {reason}; train it "
        f"again with classifiers.keep = best or all and your --configfile:\n  "
        f"snakemake --cores all --force -- {path}\nthen ask for the classifier again"
    )


def remove_others(path: str | Path) -> int:
    """Remove the weights of all runs of a data set but one; return how many there were.

    Args:
        path: of that run's record.
    """
    kept = name_weights(path)
    others = [each for each in kept.parents[2].glob("*/*/[0-9]*.safetensors") if each != kept]
    for each in others:
        each.unlink(missing_ok=True)
    return len(others)


def name_weights(path: str | Path) -> Path:
    """Name the file of a run's weights by that of its record."""
    return Path(path).with_suffix(".safetensors")


def _drop_seconds(record: Mapping) -> dict:
    return {key: value for key, value in record.items() if key != "seconds"}
