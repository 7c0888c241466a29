"""Which Parquet files are which part of a data set, by their folders and names.

data/train-00000-of-00002.parquet, train.parquet         a word that begins the name
train/0000.parquet, plain_text/train/0000.parquet        a folder; what is above it names a
                                                         configuration, as on the hub
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mvc.images import folders
from mvc.images.parts import WORDS, assign_parts, name_part

NUMBERED = re.compile(r"(\d+)[-_.]of[-_.](\d+)(?:[-_.][0-9a-f]{16})?$")  # and how many there are
POINTER = b"version https://git-lfs"  # begins what Git leaves where LFS has not fetched a file
SHARD = re.compile(r"[-_.]?\d+([-_.]of[-_.]\d+)?([-_.][0-9a-f]{16})?$")  # ends a shard's name


def group_files(path: Path) -> dict[str, list[Path]]:
    """Group the Parquet files of a folder, or the one file, by the words that name their parts.

    Raises:
        ValueError: they are of several configurations; names them, and how to choose one.
    """
    if path.is_file():
        return {SHARD.sub("", path.stem) or path.stem: [path]}
    groups: dict[tuple[tuple[str, ...], str], list[Path]] = {}
    for file in folders.list_files(path):
        inside = file.relative_to(path)
        if file.suffix.lower() == ".parquet" and not any(p.startswith(".") for p in inside.parts):
            groups.setdefault(_name_group(inside), []).append(file)
    if len(named := sorted({configuration for configuration, _ in groups})) > 1:
        choices = ", ".join(
            "/".join(folder) or f"the files in {path.name} itself" for folder in named
        )
        raise ValueError(
            f"Parquet files of several configurations: {choices}; name one of these folders as the "
            "path, or move the others away: their rows are not joined"
        )
    return {word: files for (_, word), files in groups.items()}


def check_files(files: Sequence[Path]) -> None:
    """Check that files are Parquet, all shards of their set, and of the same columns and classes.

    Raises:
        ValueError: names the file and what is wrong with it.
    """
    _check_shards(files)
    first, expected = files[0], _describe_schema(files[0])
    for file in files[1:]:
        if (described := _describe_schema(file)) != expected:
            raise ValueError(
                f"shards that differ: {first.name} has {expected}, {file.name} has {described}; "
                "save them with the same columns and class names"
            )


def _check_shards(files: Sequence[Path]) -> None:
    """Refuse a set of shards of which some are missing, by the number that their names give."""
    sets: dict[tuple[str, int], set[int]] = {}
    for file in files:
        if match := NUMBERED.search(file.stem):
            name = str(file.parent / file.stem[: match.start()].rstrip("-_."))
            sets.setdefault((name, int(match[2])), set()).add(int(match[1]))
    for (name, total), numbers in sets.items():
        if len(numbers) < total:
            raise ValueError(
                f"{len(numbers)} of the {total} shards of {name}; name the folder of all of them, "
                "or download the others, too"
            )


def _describe_schema(file: Path) -> str:
    """Describe columns, and the names of their classes, as `datasets` has them."""
    from datasets import ClassLabel, Features

    with open(file, "rb") as opened:
        pointer = opened.read(len(POINTER)) == POINTER
    if pointer:
        raise ValueError(
            f"{file.name}, which is a pointer of Git LFS, not the data: run `git lfs pull`"
        )
    try:
        schema, rows = pq.read_schema(file), pq.read_metadata(file).num_rows
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"{file.name}, which is damaged or not Parquet: {error}") from None
    if not rows:
        raise ValueError(f"{file.name}, which has no row: move it away")
    features = Features.from_arrow_schema(schema)
    return ", ".join(
        f"{name} ({', '.join(features[name].names)})"
        if isinstance(features[name], ClassLabel)
        else name
        for name in sorted(features)
    )


def choose_groups(found: Mapping[str, object], key: str) -> tuple[dict[str, str], list[str]]:
    """Choose the groups or splits that are used, and which part each of them is.

    Args:
        found: what there is, by name.
        key: names the setting and its value, for messages.

    Returns:
        The part of each name: train, validation, test, or all for a single one that is called
        otherwise; and the names that are left out.

    Raises:
        ValueError: no name is a training part, two names are one part, or it is not clear what
            those that are no part are for.
    """
    names = list(found)
    known = [name for name in names if name_part(name)]
    unknown = [name for name in names if name not in known]
    if len(names) == 1 and unknown:
        return {names[0]: "train"}, []
    listed = ", ".join(map(repr, names))
    try:
        parts = assign_parts(known)
    except ValueError as error:
        raise ValueError(f"{key} holds {listed}: {error}") from None
    if "train" not in parts.values():
        raise ValueError(
            f"{key} holds {listed}: one must be called train (or training), the others validation "
            "or test; or name a single file, which is split by the seed"
        )
    if unknown and set(parts.values()) == {"train"}:
        raise ValueError(
            f"{key} holds {listed}: {_quote(unknown)} may be a test part, or no part at all; call "
            f"it test, or take it away (words that are known: {', '.join(WORDS)})"
        )
    return parts, unknown


def _name_group(inside: Path) -> tuple[tuple[str, ...], str]:
    """Name the configuration and the group of a file, by its path inside the data folder."""
    above, stem = inside.parts[:-1], SHARD.sub("", inside.stem)
    if stem and (name_part(stem) or not above):
        return above, stem
    for place in reversed(range(len(above))):
        if name_part(above[place]):
            return above[:place], above[place]
    return (above, stem) if stem else (above[:-1], above[-1] if above else inside.stem)


def _quote(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))
