"""Layouts of the paper's tables: their columns, which are arms, and their gains (Section 4).

Standard library only: the workflow reads it too, to know which runs a table is made of.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

HEADINGS = {
    "baseline": "Baseline",
    "random": "Random policies",
    "faa": "FAA",
    "aa": "AA",
    "ra": "RA",
    "syn": "Ours(Syn)",
    "faa+syn": "Ours(FAA+Syn)",
    "aa+syn": "Ours(AA+Syn)",
    "ra+syn": "Ours(RA+Syn)",
    "ra+real": "RA + real",
    "ra+real_vae": "RA + real through the VAE",
    "ra+pretrained": "RA + pre-trained",
    "ra+train_vae": "RA + training images through the VAE",
    "ra+long": "RA, as many steps as with synthetic images",
    "ra+append": "RA + RSP append",
}


class Layout(NamedTuple):
    """A table of the paper.

    `about` describes it in a sentence. `columns` maps arms to headings. `gains` are pairs of arms,
    (arm, control). `instead` maps an arm to the one shown where a data set does not have it.
    """

    about: str
    columns: Mapping[str, str]
    gains: tuple[tuple[str, str], ...]
    instead: Mapping[str, str] = {}


def _name_arms(*arms: str) -> dict[str, str]:
    return {arm: HEADINGS[arm] for arm in arms}


_FEW_ABOUT = "AutoAugment (AA) and RandAugment (RA), with and without synthetic images (Syn)."
_FEW = _name_arms("baseline", "aa", "ra", "aa+syn", "ra+syn")
_FEW_GAINS = (("aa+syn", "aa"), ("ra+syn", "ra"))

TABLES = {
    "table1": Layout(
        about="AutoAugment (AA), RandAugment (RA) and Fast AutoAugment (FAA), with and without "
        "synthetic images (Syn).",
        columns=_name_arms("baseline", "faa", "aa", "ra", "syn", "faa+syn", "aa+syn", "ra+syn"),
        gains=(("syn", "baseline"), ("faa+syn", "faa"), *_FEW_GAINS),
    ),
    "table2": Layout(_FEW_ABOUT, _FEW, _FEW_GAINS),
    "table3": Layout(_FEW_ABOUT, _FEW, _FEW_GAINS),
    "table4": Layout(
        about="Synthetic images of the pre-trained (PT) against the fine-tuned (FT) generator.",
        columns={"aa": "AA", "aa+pretrained": "AA+Syn(PT)", "aa+finetuned": "AA+Syn(FT)"},
        gains=(
            ("aa+pretrained", "aa"),
            ("aa+finetuned", "aa"),
            ("aa+finetuned", "aa+pretrained"),
        ),
        instead={"aa+finetuned": "aa+syn"},
    ),
    "table5": Layout(
        about="Strategies of training on real and synthetic images.",
        columns={
            "aa": "AA",
            "aa+combined": "combined",
            "aa+rsp": "RSP",
            "aa+two_phase": "two-phase",
        },
        gains=(
            ("aa+combined", "aa"),
            ("aa+rsp", "aa"),
            ("aa+two_phase", "aa"),
            ("aa+two_phase", "aa+rsp"),
            ("aa+rsp", "aa+combined"),
        ),
        instead={"aa+two_phase": "aa+syn"},
    ),
}


def choose_arms(layout: Layout, available: Collection[str]) -> dict[str, str]:
    """Choose the arm of each column among those `available`; leave out columns that have none."""
    shown = {c: c if c in available else layout.instead.get(c, c) for c in layout.columns}
    return {column: arm for column, arm in shown.items() if arm in available}


def name_arm(arm: str) -> str:
    """Name an arm as the diagnostics do; an unknown arm keeps its name."""
    return HEADINGS.get(arm, arm)
