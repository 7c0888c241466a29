"""The parts of a published data set, by the words that sources call them. Standard library only.

One function for every loader, so that a folder `Testing`, a split `test`, a file
`testing-00000.parquet` and a manifest's `TEST` are the same part. Words as Hugging Face `datasets`
knows them, whatever their case: `eval` is a test part.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

PARTS = ("train", "validation", "test")
WORDS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
}
# words that may stand beside them: `training_set`, `seg_test`
FILLERS = frozenset("data dataset folder image images img imgs seg set split unlabeled".split())

# words in the names of columns of which each value stands for several near copies
GROUPS = frozenset(
    "patient patients patientid subject subjectid participant person case study donor slide scene "
    "video clip sequence group groups".split()
)


def name_part(name: str) -> str | None:
    """Name the part that a name means: the one part that its words mean, or None.

    >>> [name_part(name) for name in ("Testing", "seg_train", "VAL", "crane", "train_and_test")]
    ['test', 'train', 'validation', None, None]
    """
    meant = {WORDS[word] for word in _list_words(name) if word in WORDS}
    return meant.pop() if len(meant) == 1 else None


def has_only_fillers(name: str) -> bool:
    """Say whether a name has no word but those of parts and of data sets: it is hardly a class.

    >>> [has_only_fillers(name) for name in ("test_set", "images", "test tube")]
    [True, True, False]
    """
    words = _list_words(name)
    return bool(words) and all(word in WORDS or word in FILLERS for word in words)


def assign_parts(names: Sequence[str]) -> dict[str, str]:
    """Assign a part to each of the names under which a source keeps its images.

    Raises:
        ValueError: a name is no known part, two names are the same part, or they name different
            sets (`en-train` beside `de-test`); names them.
    """
    parts = {name: name_part(name) for name in names}
    if unknown := [name for name, part in parts.items() if part is None]:
        raise ValueError(
            f"{', '.join(map(repr, unknown))}: no known part of a data set (there are "
            f"{', '.join(map(repr, names))}); known are {', '.join(WORDS)}, in any case"
        )
    for part in PARTS:
        same = [name for name in parts if parts[name] == part]
        if len(same) > 1:
            raise ValueError(f"{' and '.join(map(repr, same))} are both a {part} part: keep one")
    sets = {tuple(words): name for name in names if (words := _list_set_words(name))}
    if len(sets) > 1:
        listed = ", ".join(f"{name!r} of '{' '.join(words)}'" for words, name in sets.items())
        raise ValueError(
            f"parts that seem to be of different sets: {listed}; keep those of one set, or call "
            "them train and test if they belong together"
        )
    return parts


def find_part_columns(columns: Mapping[str, Iterable[object]]) -> list[str]:
    """Find columns whose values are parts: two of them at least, and nothing else.

    Args:
        columns: distinct values of each column, by its name.
    """
    found = []
    for name, values in columns.items():
        parts = {name_part(str(value)) for value in values}
        if len(parts) > 1 and None not in parts:
            found.append(name)
    return found


def warn_of_groups(columns: Iterable[str]) -> list[str]:
    """Warn of columns that are not read but seem to name patients or other groups of images."""
    groups = [name for name in columns if set(re.split(r"[\W\d_]+", name.casefold())) & GROUPS]
    return [
        f"the column {name!r} is not used: images of one {name} may be in train and in test, which "
        "makes the test too easy; a manifest's column `group` (loader: csv) keeps them together"
        for name in groups
    ]


def settle(parts: Sequence[str]) -> tuple[list[str], list[str]]:
    """Settle the parts of a source's images, the same for every loader; return warnings, too.

    Without a part `test`, `validation` is the test set, as users of ImageNet have it; without both,
    `train` becomes `all`, to be split.
    """
    warnings = []
    if "test" not in parts and "validation" in parts:
        parts = ["test" if part == "validation" else part for part in parts]
        warnings = ["no test part: the validation part is used as the test set"]
    drawn = "train" if "test" in parts else "all"
    return [drawn if part == "train" else part for part in parts], warnings


def _list_set_words(name: str) -> list[str]:
    """Words of a name that say which set its part is of: those of no part, filler or number."""
    words = [word for word in re.split(r"[\W_]+", name.casefold()) if word.strip("0123456789")]
    return [w for w in words if {w.rstrip("0123456789")}.isdisjoint({*WORDS, *FILLERS})]


def _list_words(name: str) -> list[str]:
    return [word for word in re.split(r"[\W\d_]+", name.casefold()) if word]
