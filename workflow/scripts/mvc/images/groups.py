"""Images that belong together, as the slices of one patient: never on two sides of a split.

Near copies on both sides would make a test measure memory. A group is kept whole over all classes:
a patient who is in two classes is in the test set with both, or with neither.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

SIDES = {"train": "training", "extra": "training", "validation": "validation", "test": "test"}


def assign_groups(
    members: Mapping[int, Sequence[str]], targets: Mapping[int, tuple[int, int]]
) -> dict[str, str]:
    """Give each group to test, validation or train: near the numbers wanted, class by class.

    A group is added, in the order of its first image, if that brings its class nearer to the
    number; so groups of one image give exactly the first ones. Classes of few groups come first,
    and one group of each class stays for training.

    Args:
        members: for each class, the group of each image, in an order drawn before.
        targets: for each class, how many test and validation images are wanted.

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
    """How many images the first groups have, in order, that fit into `limit` together.

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
    """A warning on groups that the source itself has put on two sides.

    Args:
        splits: items with a `group` by the split's name.
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
    return [f"{len(divided)} group(s) are on two sides, as the source has split them: {named}"]


def _take_groups(
    free: Sequence[str], sizes: Mapping[str, int], target: int, *, keep: bool
) -> list[str]:
    """Free groups that together come near to `target` images; all but one where one must stay."""
    chosen, count = [], 0
    for i, group in enumerate(free):
        last = keep and len(chosen) == i == len(free) - 1
        if not last and count + sizes[group] / 2 <= target:
            chosen.append(group)
            count += sizes[group]
    return chosen
