"""Groups of images, such as the slices of one patient, that splits keep whole.

Near copies on both sides of a split would make a test measure memory. A group is kept whole across
classes: a patient with images of two classes is in the test set with both, or with neither.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

SIDES = {"train": "training", "extra": "training", "validation": "validation", "test": "test"}


def assign_groups(
    members: Mapping[int, Sequence[str]], targets: Mapping[int, tuple[int, int]]
) -> dict[str, str]:
    """Assign each group to test, validation or train, close to the target numbers, class by class.

    A group, in the order of first images, is taken if it brings its class closer to the target.
    Groups of one image therefore meet it exactly. Classes with few groups come first, and one group
    of each class stays for training.

    Args:
        members: for each class, the group of each image, in a random order.
        targets: for each class, the numbers of test and of validation images.

    Returns:
        "test", "validation" or "train" by group.
    """
    placed: dict[str, str] = {}
    for label in sorted(members, key=lambda k: (len(set(members[k])), k)):
        sizes = Counter(members[label])
        free = [group for group in sizes if group not in placed]
        has_train = any(placed.get(group) == "train" for group in sizes)
        for split, target in zip(("test", "validation"), targets[label], strict=True):
            count = sum(n for group, n in sizes.items() if placed.get(group) == split)
            chosen = _take_groups(free, sizes, target - count, keep=not has_train)
            if not chosen and not count and split == "test" and target and len(free) > 1:
                chosen = [min(free, key=sizes.get)]
            placed.update(dict.fromkeys(chosen, split))
            free = [group for group in free if group not in placed]
        placed.update(dict.fromkeys(free, "train"))
    return placed


def count_whole_groups(members: Sequence[str], limit: int | None) -> int:
    """Count the images of the first groups that fit into `limit` together.

    Args:
        members: the group of each image, one group after the other.
        limit: images at most; None for all.
    """
    total = 0
    for size in Counter(members).values():
        if limit is not None and total + size > limit:
            break
        total += size
    return total


def warn_of_divided_groups(splits: Mapping[str, Sequence]) -> list[str]:
    """Warn of groups that the source itself has divided between splits.

    Args:
        splits: items by split.

    Returns:
        One warning, or none.
    """
    sides = defaultdict(set)
    for split, items in splits.items():
        for item in items:
            if item.group:
                sides[item.group].add(SIDES.get(split, split))
    divided = sorted(group for group, where in sides.items() if len(where) > 1)
    if not divided:
        return []
    named = ", ".join(map(repr, divided[:3])) + (", …" if len(divided) > 3 else "")
    return [f"{len(divided)} group(s) are divided between splits by the source itself: {named}"]


def _take_groups(
    free: Sequence[str], sizes: Mapping[str, int], target: int, *, keep: bool
) -> list[str]:
    """Take free groups of about `target` images together; all but one if one must stay (`keep`)."""
    chosen, count = [], 0
    for i, group in enumerate(free):
        last = keep and len(chosen) == i == len(free) - 1
        if not last and count + sizes[group] / 2 <= target:
            chosen.append(group)
            count += sizes[group]
    return chosen
