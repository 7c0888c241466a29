"""Splits by shares of a class: what a source does not say is drawn, groups kept whole."""

from collections.abc import Sequence

from mvc.images import groups
from mvc.images.splits import SPLITS, Record, in_order, shuffled


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
