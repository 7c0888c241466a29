"""Seeded splits of images, class by class, without copies.

An image's split depends on the seed, its class and the other images of its class only. A change in
one class moves nothing in another, and a larger `labels_per_class` contains the images of a smaller
one.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from mvc.core.seeds import derive_seed
from mvc.images import groups
from mvc.images.items import Item

SPLITS = ("train", "validation", "extra", "test", "oracle")
RANK = {
    "test": 0,
    "validation": 1,
    "train": 2,
    "all": 2,
    "oracle": 3,
}  # the lowest keeps a shared image


def check_classes(classes: Sequence[str], *, key: str) -> None:
    """Refuse classes that cannot be told apart.

    Raises:
        ValueError: fewer than two classes, or two of one name.
    """
    if len(classes) < 2:
        raise ValueError(f"{key}: {len(classes)} class(es) {list(classes)}; at least 2 are needed")
    if len(set(classes)) < len(classes):
        twice = sorted({name for name in classes if classes.count(name) > 1})
        raise ValueError(f"{key}: several classes are called {', '.join(map(repr, twice))}")


def drop_copies(items: Sequence[Item]) -> tuple[list[Item], dict[str, list[str]]]:
    """Keep one of each set of images with identical pixels, and so of byte-identical files.

    A test image in the training set would be data leakage. Its training copy is dropped, since the
    test set must stay what others measured on: test images are kept, even twice. Elsewhere one copy
    is kept, preferably a held-out one. Copies of different classes, none of them in the test set,
    are all dropped, since their label is unknown.

    Returns:
        The items kept, in order, and the dropped ids by reason: `of_test`, `repeated`,
        `contradictory`.
    """
    same_pixels: dict[bytes, list[Item]] = defaultdict(list)
    for item in items:
        same_pixels[item.pixels].append(item)
    reasons: dict[str, list[str]] = {"of_test": [], "repeated": [], "contradictory": []}
    dropped = set()
    for copies in same_pixels.values():
        first, *rest = sorted(copies, key=lambda item: RANK[item.part])
        if first.part == "test":
            reason, surplus = "of_test", [item for item in rest if item.part != "test"]
        elif len({item.class_name for item in copies}) > 1:
            reason, surplus = "contradictory", copies
        else:
            reason, surplus = "repeated", rest
        reasons[reason] += [item.image_id for item in surplus]
        dropped.update(item.image_id for item in surplus)
    return [item for item in items if item.image_id not in dropped], reasons


def split_by_numbers(
    items: Sequence[Item], classes: Sequence[str], *, numbers: dict, seed: int, key: str
) -> dict[str, list[Item]]:
    """Split by fixed numbers per class: from a pool (`train`), a test set and the oracle's corpus.

    Args:
        numbers: images per class: `labels_per_class`, `validation_per_class`, `extra_per_class`,
            `test_per_class`, `oracle_per_class`; None takes all, for extra the rest.
        seed: of the pool and the oracle; the part of the test set that is used never moves.
        key: config key of the data set, for messages.

    Raises:
        ValueError: a class has fewer images than asked for.
    """
    splits: dict[str, list[Item]] = {split: [] for split in SPLITS}
    parts = {part: [i for i in items if i.part == part] for part in ("train", "test", "oracle")}
    n_held = numbers["validation_per_class"]
    for label, members in _shuffle_classes(parts["train"], classes, seed, "pool").items():
        n_train, n_extra = _divide_pool(len(members), numbers, name=classes[label], key=key)
        splits["train"] += members[:n_train]
        splits["extra"] += members[n_train : n_train + n_extra]
        splits["validation"] += members[len(members) - n_held :]
    for part, part_seed in (("test", 0), ("oracle", seed)):
        n = numbers[f"{part}_per_class"]
        for label, members in _shuffle_classes(parts[part], classes, part_seed, part).items():
            if n is not None and n > len(members):
                raise ValueError(
                    f"{key}.images.{part}_per_class = {n}; must be <= {len(members)}, the "
                    f"images of class {classes[label]!r}, or null for all"
                )
            splits[part] += members[:n]
    return _sort_splits(splits, items)


def split_by_fractions(
    items: Sequence[Item], classes: Sequence[str], *, cfg: dict, seed: int
) -> dict[str, list[Item]]:
    """Split as the source does; draw what it leaves open by fractions, class by class.

    A class of two images or more has at least one for test; one always stays for training. Images
    of one group stay together (`groups.assign_groups`), so that the numbers are approximate.

    Args:
        cfg: `test_fraction` (of a class's images; unless the source has a test part),
            `validation_fraction` (of a class's images outside the test part; unless the source has
            a validation part), `labels_per_class` (training images per class at most, None for all;
            the others become `extra`).

    Raises:
        ValueError: `labels_per_class` is smaller than a class's first group.
    """
    splits: dict[str, list[Item]] = {split: [] for split in SPLITS}
    splits["test"] = [item for item in items if item.part == "test"]
    splits["validation"] = [item for item in items if item.part == "validation"]
    rest = [item for item in items if item.part in ("train", "all")]
    members = _shuffle_classes(rest, classes, seed, "folder")
    targets = {
        label: _count_targets(drawn, cfg, has_validation=bool(splits["validation"]))
        for label, drawn in members.items()
    }
    units = {label: [_name_unit(item) for item in drawn] for label, drawn in members.items()}
    sides = groups.assign_groups(units, targets)
    for label, drawn in members.items():
        for split in ("test", "validation"):
            splits[split] += [item for item in drawn if sides[_name_unit(item)] == split]
        train = _gather_units([item for item in drawn if sides[_name_unit(item)] == "train"])
        n_train = _limit_train(train, cfg["labels_per_class"], classes[label])
        splits["train"] += train[:n_train]
        splits["extra"] += train[n_train:]
    return _sort_splits(splits, items)


def check_splits(splits: dict[str, list[Item]], classes: Sequence[str], *, key: str) -> list[str]:
    """Refuse splits that cannot be learned from or measured on; return warnings on the others.

    Raises:
        ValueError: no test image, or a class without a training image.
    """
    if not splits["test"]:
        raise ValueError(f"{key}: no test image; add some, or raise {key}.images.test_fraction")
    counts = {split: Counter(item.class_name for item in items) for split, items in splits.items()}
    warnings = []
    for name in classes:
        if not counts["train"][name]:
            where = [split for split in splits if counts[split][name]]
            raise ValueError(
                f"{key}: class {name!r} has no training image (it is in: "
                f"{', '.join(where) or 'no split, its images are damaged or copies'}); "
                "add images of it to the training data or remove the class"
            )
        if counts["train"][name] == 1:
            warnings.append(f"class {name!r} has one training image: it is paired with itself")
        if not counts["test"][name]:
            warnings.append(f"class {name!r} has no test image: its accuracy is not measured")
    if numbers := [name for name in classes if re.fullmatch(r"[\d.,+-]+", name)]:
        warnings.append(
            f"{len(numbers)} class name(s) are numbers, {numbers[0]!r} the first: captions say "
            f'"an image of {numbers[0]}", which tells the generator nothing; use words'
        )
    return warnings + groups.warn_of_divided_groups(splits)


def _shuffle_classes(
    items: Sequence[Item], classes: Sequence[str], seed: int, stream: str
) -> dict[int, list[Item]]:
    """Shuffle the items of each class, by label; classes without items stay, empty."""
    members: dict[str, list[Item]] = {name: [] for name in classes}
    for item in items:
        members[item.class_name].append(item)
    shuffled = {}
    for label, name in enumerate(classes):
        rng = np.random.default_rng(derive_seed(seed, f"images/{stream}", label))
        shuffled[label] = [members[name][i] for i in rng.permutation(len(members[name]))]
    return shuffled


def _sort_splits(splits: dict[str, list[Item]], items: Sequence[Item]) -> dict[str, list[Item]]:
    """Sort each split in the order of `items`."""
    place = {item.image_id: i for i, item in enumerate(items)}
    return {
        split: sorted(chosen, key=lambda item: place[item.image_id])
        for split, chosen in splits.items()
    }


def _divide_pool(n: int, numbers: dict, *, name: str, key: str) -> tuple[int, int]:
    """Training and extra images of a class that has `n` images in the pool."""
    labels, held, extra = (
        numbers[f"{split}_per_class"] for split in ("labels", "validation", "extra")
    )
    free = n - held
    n_train = free - (extra or 0) if labels is None else labels
    n_extra = max(free - n_train, 0) if extra is None else extra
    if n_train < 1 or n_train + n_extra > free:
        raise ValueError(
            f"{key}.images: labels_per_class {labels} + validation_per_class {held} + "
            f"extra_per_class {n_extra}: class {name!r} has {n} images in "
            "the pool, and at least one must be for training"
        )
    return n_train, n_extra


def _count_targets(members: Sequence[Item], cfg: dict, *, has_validation: bool) -> tuple[int, int]:
    """Count the test and validation images to draw from a class."""
    n, n_test, n_held = len(members), 0, 0
    if n > 1 and members[0].part == "all":
        n_test = min(max(1, _round_half_up(cfg["test_fraction"] * n)), n - 1)
    if n > 1 and not has_validation:
        n_held = min(_round_half_up(cfg["validation_fraction"] * n), n - n_test - 1)
    return n_test, n_held


def _limit_train(train: Sequence[Item], limit: int | None, name: str) -> int:
    """Count the images of a class, grouped, to train on; the others become extra ones."""
    n = groups.count_whole_groups([_name_unit(item) for item in train], limit)
    if train and not n:
        size = sum(_name_unit(item) == _name_unit(train[0]) for item in train)
        raise ValueError(
            f"images.labels_per_class = {limit}; must be >= {size}, the images of group "
            f"{train[0].group!r} in class {name!r} (groups are kept whole), or null for all"
        )
    return n


def _name_unit(item: Item) -> str:
    """Name what stays together: a group, or a single image."""
    return f"group {item.group}" if item.group else f"image {item.image_id}"


def _gather_units(items: Sequence[Item]) -> list[Item]:
    """Gather each group at the place of its first item."""
    place: dict[str, int] = {}
    for item in items:
        place.setdefault(_name_unit(item), len(place))
    return sorted(items, key=lambda item: place[_name_unit(item)])


def _round_half_up(x: float | int) -> int:
    return int(x + 0.5)
