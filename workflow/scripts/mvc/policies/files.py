"""Augmentation policies as readable JSON, and random policies as the control of a search.

A file holds `sub_policies`, one per line; each is a list of [operation, probability 0..1, level],
on the scale of `training.autoaugment`, where 10 is AutoAugment's maximum and 30 the highest level.
Each image draws one sub-policy, whose operations are applied in order.

Policies published elsewhere need their levels converted. Fast AutoAugment's run from l = 0 to 1
over other ranges, and is signed for geometric operations, whose sign is drawn at random here:
10 |2 l - 1| for ShearX, ShearY and Rotate; 14.4 |2 l - 1| for TranslateX and TranslateY (to 0.45 of
the side); 10 l for Contrast, Color, Brightness and Sharpness; 3.2 l for Cutout (to 0.2 of the
side); 10 (1 - l) for Solarize. Its Posterize keeps 4 + 4 l bits, more than any level here but 0,
which keeps 4.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch

from mvc.training.autoaugment import NAMES, SubPolicy
from mvc.training.operations import OPERATIONS

FORMAT = "mvc policies 1"
SPACE = (*OPERATIONS, "Cutout")  # the 15 operations that a search draws from
STRONGEST = 10  # highest level of a search


def read_policies(path: str | Path) -> tuple[SubPolicy, ...]:
    """Read and check the sub-policies of a file.

    Raises:
        ValueError: the file is not JSON or holds no policies, or an entry, which is named, is
            invalid.
    """
    try:
        contents = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"policies.file: {path} is not JSON ({error})") from error
    sub_policies = contents.get("sub_policies") if isinstance(contents, dict) else None
    if not isinstance(sub_policies, list) or not sub_policies:
        raise ValueError(
            f'policies.file: {path} has no list "sub_policies"; must be like '
            '{"sub_policies": [[["Rotate", 0.7, 2.0], ["Cutout", 0.2, 5.0]]]}'
        )
    return tuple(
        _check_sub_policy(sub, f"policies.file: {path}: sub-policy {number}")
        for number, sub in enumerate(sub_policies, start=1)
    )


def format_policies(sub_policies: Iterable[SubPolicy], about: Mapping) -> str:
    """Format a policy file: `about`, then one sub-policy per line."""
    head = json.dumps({"format": FORMAT, **about}, indent=1, ensure_ascii=False)
    lines = (f"  {json.dumps([list(step) for step in sub])}" for sub in sub_policies)
    return head[:-2] + ',\n "sub_policies": [\n' + ",\n".join(lines) + "\n ]\n}\n"


def digest_policies(path: str | Path) -> str:
    """Compute the SHA-256 of a file, which records where policies come from."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def drop_repeated(sub_policies: Iterable[SubPolicy]) -> tuple[SubPolicy, ...]:
    """Drop repeated sub-policies and keep the order."""
    return tuple(dict.fromkeys(tuple(map(tuple, sub)) for sub in sub_policies))


def draw_policies(lengths: Sequence[int], *, generator: torch.Generator) -> tuple[SubPolicy, ...]:
    """Draw distinct sub-policies uniformly from the space of a search.

    Args:
        lengths: operations of each sub-policy.
    """
    drawn: dict[SubPolicy, None] = {}
    for length in lengths:
        sub = _draw_sub_policy(length, generator)
        while sub in drawn:
            sub = _draw_sub_policy(length, generator)
        drawn[sub] = None
    return tuple(drawn)


def round_step(operation: str, probability: float, level: float) -> tuple[str, float, float]:
    """Round the numbers of an operation as files hold them."""
    return operation, round(probability, 3), round(level, 3)


def _draw_sub_policy(length: int, generator: torch.Generator) -> SubPolicy:
    kinds = torch.randint(len(SPACE), (length,), generator=generator).tolist()
    numbers = torch.rand(length, 2, generator=generator, dtype=torch.float64).tolist()
    return tuple(
        round_step(SPACE[kind], probability, STRONGEST * share)
        for kind, (probability, share) in zip(kinds, numbers, strict=True)
    )


def _check_sub_policy(sub: object, where: str) -> SubPolicy:
    if not isinstance(sub, list) or not sub:
        raise ValueError(f"{where} = {sub}; must be a list of [operation, probability, level]")
    for number, entry in enumerate(sub, start=1):
        place = f"{where}, operation {number} = {entry}"
        if not isinstance(entry, list) or len(entry) != 3:
            raise ValueError(f"{place}; must be [operation, probability, level]")
        name, probability, level = entry
        if name not in NAMES:
            raise ValueError(f"{place}: {name!r}; must be one of {', '.join(NAMES)}")
        numbers = all(type(value) in (int, float) for value in (probability, level))
        if not numbers or not (0 <= probability <= 1 and 0 <= level <= 30):
            raise ValueError(f"{place}; must have a probability of 0..1 and a level of 0..30")
    return tuple(map(tuple, sub))
