"""Extra images of an arm: read as they were chosen, with a leakage check."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from mvc.core import image_tables
from mvc.core.counts import PerReal
from mvc.core.image_set import EXTRA_COLUMNS, Labelled, has_equal_channels, load_labelled
from mvc.core.leakage import check_sources
from mvc.synthetic.choice import CLIP_PROBABILITY, choose_rows

UNSAMPLED = {"real", "real_vae", "train_vae"}  # real images, as they are or through the VAE


def pick_extra(settings: Mapping) -> dict:
    """Pick the settings of a run that say which extra images it uses: arguments of `read_extra`."""
    chosen = {key: settings[key] for key in ("per_real", "per_class", "select") if key in settings}
    return {"generator": settings["extra"], **chosen}


def read_extra(
    paths: str | Path | Sequence[str | Path],
    train: Labelled,
    *,
    generator: str | None,
    per_real: PerReal = None,
    per_class: int | None = None,
    select: str = "first",
    size: int | None,
) -> Labelled | None:
    """Read an arm's extra images, in the colours of the training images; None without a generator.

    Args:
        paths: shards of one generator, in the order of their images.
        per_real, per_class: see `count_extra`; None for both reads all images.
        select: see `choose_rows`; of real images always the first, since CLIP scores none.
        size: side in pixels; None keeps the native size.

    Raises:
        ValueError: a class has too few images, a source is not a training image although it must
            be, or the CLIP filter finds no clip_probability in the shards.
    """
    if generator is None:
        return None
    every = per_real is None and per_class is None
    if generator in UNSAMPLED or every:
        select = "first"
    scores = [CLIP_PROBABILITY] if select == "clip" else []
    table = image_tables.read(paths, [*EXTRA_COLUMNS, *scores])
    if not every:
        quota = {"per_real": per_real, "per_class": per_class, "select": select}
        marks = choose_rows(table, train.labels.numpy(), train.class_names, **quota)
        table = table.filter(pa.array([mark.kept for mark in marks], pa.bool_()))
    extra = load_labelled(table, size=size, grayscale=has_equal_channels(train.images))
    check_sources(train.ids, extra.ids, generator)
    return extra
