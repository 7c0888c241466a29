"""Which image goes to which split: copies dropped, classes balanced, seeded, the same every time.

A record's place depends on the seed, its class and its class's other members only: a change in one
class moves nothing in another, and a larger `labels_per_class` contains the smaller one's images.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from mvc.core.seeds import derive_seed
from mvc.images import groups

SPLITS = ("train", "validation", "extra", "test", "oracle")
RANK = {"test": 0, "validation": 1, "train": 2, "all": 2, "oracle": 3}  # who keeps a shared image


class Record(NamedTuple):
    """One usable image before it is written."""

    image_id: str
    label: int
    part: str  # where the source keeps it: a key of RANK
    pixels: bytes  # digest of size and RGB values
    read: Callable[[], bytes]
    group: str = ""  # images of one group stay on one side: a patient's slices; "" for none


def drop_copies(records: Sequence[Record]) -> tuple[list[Record], dict[str, list[str]]]:
    """Keep one of each set of images with identical pixels; byte-identical files are among them.

    A test image that is also in the training set would be a leak. The training copy goes, because
    the test set must stay what others measured on; so test images are kept, even twice. Elsewhere
    one copy stays, the held-out one first. Copies under different classes, none of them in the
    test set, all go: their label is unknown.

    Returns:
        The records kept, in order, and the dropped ids by reason: `of_test`, `repeated`,
        `contradictory`.
    """
    groups: dict[bytes, list[Record]] = defaultdict(list)
    for record in records:
        groups[record.pixels].append(record)
    reasons: dict[str, list[str]] = {"of_test": [], "repeated": [], "contradictory": []}
    dropped = set()
    for group in groups.values():
        first, *rest = sorted(group, key=lambda r: RANK[r.part])
        if first.part == "test":
            reason, gone = "of_test", [r for r in rest if r.part != "test"]
        elif len({r.label for r in group}) > 1:
            reason, gone = "contradictory", group
        else:
            reason, gone = "repeated", rest
        reasons[reason] += [r.image_id for r in gone]
        dropped.update(r.image_id for r in gone)
    return [r for r in records if r.image_id not in dropped], reasons


def sized_splits(
    records: Sequence[Record], classes: Sequence[str], *, sizes: dict, seed: int, key: str
) -> dict[str, list[Record]]:
    """Fixed numbers a class, from a pool (`train`), a test set and a corpus for the oracle.

    Args:
        sizes: images a class: `labels_per_class`, `validation_per_class`, `extra_per_class`,
            `test_per_class`, `oracle_per_class`; None takes all that there are, for extra the rest.
        seed: of the pool and the oracle; the part of the test set that is used never moves.
        key: config key of the data set, for messages.

    Raises:
        ValueError: a class has fewer images than asked for.
    """
    picked: dict[str, list[Record]] = {split: [] for split in SPLITS}
    parts = {part: [r for r in records if r.part == part] for part in ("train", "test", "oracle")}
    train, held = sizes["labels_per_class"], sizes["validation_per_class"]
    for label, members in shuffled(parts["train"], classes, seed, "pool").items():
        free, extra = len(members) - held, sizes["extra_per_class"]
        own = free - (extra or 0) if train is None else train
        extra = max(free - own, 0) if extra is None else extra
        if own < 1 or own + extra > free:
            raise ValueError(
                f"{key}.images: labels_per_class {train} + validation_per_class {held} + "
                f"extra_per_class {extra}: class {classes[label]!r} has {len(members)} images in "
                "the pool, and at least one must be for training"
            )
        picked["train"] += members[:own]
        picked["extra"] += members[own : own + extra]
        picked["validation"] += members[len(members) - held :]
    for part, part_seed in (("test", 0), ("oracle", seed)):
        size = sizes[f"{part}_per_class"]
        for label, members in shuffled(parts[part], classes, part_seed, part).items():
            if size is not None and size > len(members):
                raise ValueError(
                    f"{key}.images.{part}_per_class = {size}; must be <= {len(members)}, the "
                    f"images of class {classes[label]!r}, or null for all"
                )
            picked[part] += members if size is None else members[:size]
    return in_order(picked, records)


def check(splits: dict[str, list[Record]], classes: Sequence[str], *, key: str) -> list[str]:
    """Refuse splits that cannot be learned from or measured on; return warnings on the others.

    Raises:
        ValueError: fewer than two classes, no test image, or a class without a training image.
    """
    if len(classes) < 2:
        raise ValueError(f"{key}: {len(classes)} class(es) {list(classes)}; at least 2 are needed")
    if not splits["test"]:
        raise ValueError(f"{key}: no test image; add some, or raise {key}.images.test_fraction")
    n = {
        split: np.bincount([r.label for r in rows], minlength=len(classes))
        for split, rows in splits.items()
        if rows
    }
    train = n.get("train", np.zeros(len(classes), int))
    warnings = []
    for label, name in enumerate(classes):
        if not train[label]:
            where = [split for split in n if n[split][label]]
            raise ValueError(
                f"{key}: class {name!r} has no training image (it is in: "
                f"{', '.join(where) or 'no split, its images are damaged or copies'}); "
                "add images of it to the training data or remove the class"
            )
        if train[label] == 1:
            warnings.append(f"class {name!r} has one training image: it is paired with itself")
        if not n["test"][label]:
            warnings.append(f"class {name!r} has no test image: its accuracy is not measured")
    return warnings + groups.warnings(splits)


def shuffled(
    records: Sequence[Record], classes: Sequence[str], seed: int, stream: str
) -> dict[int, list[Record]]:
    """Each class's records in an order of their own; classes without records stay, empty."""
    members: dict[int, list[Record]] = {label: [] for label in range(len(classes))}
    for record in records:
        members[record.label].append(record)
    for label, rows in members.items():
        rng = np.random.default_rng(derive_seed(seed, f"images/{stream}", label))
        members[label] = [rows[i] for i in rng.permutation(len(rows))]
    return members


def in_order(picked: dict[str, list[Record]], records: Sequence[Record]) -> dict[str, list[Record]]:
    place = {record.image_id: i for i, record in enumerate(records)}
    return {split: sorted(rows, key=lambda r: place[r.image_id]) for split, rows in picked.items()}


def fraction_splits(
    records: Sequence[Record], classes: Sequence[str], *, cfg: dict, seed: int
) -> dict[str, list[Record]]:
    """Splits as the source has them; what it does not say is drawn class by class.

    Args:
        cfg: `test_fraction` (of a class's images; only where no test folder is),
            `validation_fraction` (of a class's images outside a test folder; only where no
            validation folder is), `labels_per_class` (training images a class at most, None for
            all; the others become `extra`).

    A class of two images or more gets at least one for test; one always stays for training.
    Images of one group stay together (`groups.assigned`), so that numbers are met nearly.

    Raises:
        ValueError: `labels_per_class` is smaller than a class's first group.
    """
    picked: dict[str, list[Record]] = {split: [] for split in SPLITS}
    has_validation = any(r.part == "validation" for r in records)
    picked["test"] = [r for r in records if r.part == "test"]
    picked["validation"] = [r for r in records if r.part == "validation"]
    rest = [r for r in records if r.part in ("train", "all")]
    members = shuffled(rest, classes, seed, "folder")
    targets = {
        label: _targets(rows, cfg, has_validation=has_validation) for label, rows in members.items()
    }
    units = {label: [_unit(r) for r in rows] for label, rows in members.items()}
    sides = groups.assigned(units, targets)
    for label, rows in members.items():
        for split in ("test", "validation"):
            picked[split] += [r for r in rows if sides[_unit(r)] == split]
        train = _together([r for r in rows if sides[_unit(r)] == "train"])
        limit = _limit(train, cfg["labels_per_class"], classes[label])
        picked["train"] += train[:limit]
        picked["extra"] += train[limit:]
    return in_order(picked, records)


def _targets(members: Sequence[Record], cfg: dict, *, has_validation: bool) -> tuple[int, int]:
    """Test and validation images that are to be drawn from a class."""
    n, n_test, n_held = len(members), 0, 0
    if n > 1 and members[0].part == "all":
        n_test = min(max(1, _rounded(cfg["test_fraction"] * n)), n - 1)
    if n > 1 and not has_validation:
        n_held = min(_rounded(cfg["validation_fraction"] * n), n - n_test - 1)
    return n_test, n_held


def _limit(train: Sequence[Record], limit: int | None, name: str) -> int:
    """How many of a class's images, grouped, are trained on; the others are extra ones."""
    n = groups.first_whole([_unit(r) for r in train], limit)
    if train and not n:
        size = sum(_unit(r) == _unit(train[0]) for r in train)
        raise ValueError(
            f"images.labels_per_class = {limit}; must be >= {size}, the images of group "
            f"{train[0].group!r} in class {name!r} (groups are kept whole), or null for all"
        )
    return n


def _unit(record: Record) -> str:
    """What stays together: a group, or an image alone."""
    return f"group {record.group}" if record.group else f"image {record.image_id}"


def _together(records: Sequence[Record]) -> list[Record]:
    """Records with each group at the place of its first."""
    place: dict[str, int] = {}
    for record in records:
        place.setdefault(_unit(record), len(place))
    return sorted(records, key=lambda r: place[_unit(r)])


def _rounded(x: float | int) -> int:
    return int(x + 0.5)
