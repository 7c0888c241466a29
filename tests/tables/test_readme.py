"""The README's table is the one that `make readme` writes for the configuration as it is."""

import re

import pandas as pd
import pytest
import yaml
from mvc.config.expand import expand_config
from mvc.config.table_columns import TABLES
from mvc.tables.readme import (
    BLOCK,
    describe_repetitions,
    describe_run,
    replace_block,
    replace_section,
)
from mvc.tables.repetitions import format_page
from mvc.tables.statistics import Gain
from project_tree import REPO

PAGE = (REPO / "README.md").read_text(encoding="utf-8")
LINE = re.compile(
    r"^(\S+) over (\S+) +(\d+\.\d) ± \d\.\d +(\d+\.\d) ± \d\.\d +([+−]\d+\.\d) +"
    r"\[([+−]\d+\.\d), ([+−]\d+\.\d)\] +(holds|undecided|does not hold)$",
    re.MULTILINE,
)


def read_number(text):
    return float(text.replace("−", "-"))


def test_the_block_describes_the_default_configuration():
    config = yaml.safe_load((REPO / "config/config.yaml").read_text(encoding="utf-8"))
    block = BLOCK.search(PAGE)[0]
    assert f"-->\n{describe_run(expand_config(config))}; " in block


def test_gains_and_verdicts_follow_from_the_numbers():
    lines = LINE.findall(BLOCK.search(PAGE)[0])
    assert [ours for ours, *_ in lines] == ["Syn", "RA+Syn"]
    for _, _, without, with_, gain, low, high, verdict in lines:
        low, gain, high = map(read_number, (low, gain, high))
        assert gain == pytest.approx(float(with_) - float(without), abs=0.11) and low < gain < high
        assert verdict == ("holds" if low > 0 else "does not hold" if high < 0 else "undecided")


def test_the_repetitions_are_those_of_their_page():
    page = (REPO / "docs/repetitions.md").read_text(encoding="utf-8")
    assert describe_repetitions(page) in PAGE
    each = re.findall(r"^\| Ours\(RA\+Syn\) over RA +\| \w+ +\| \d+ to .*$", page, re.MULTILINE)
    holds = sum(row.endswith(" holds |") for row in each)
    assert f"In {holds} of {len(each)} repetitions" in PAGE


def test_repetitions_of_a_processor_replace_its_own_alone():
    page = write_page(one=(4, -0.04, 3.26), other=(3, 0.5, 2.0))
    said = describe_repetitions(page)
    assert said.startswith("In 7 of 8 repetitions") and "on One and Other" in said
    assert "between 0.0 and +3.3 points" in said
    again = replace_section(page, "One", write_repeated(4, 1.0, 3.0))
    assert again == write_page(one=(4, 1.0, 3.0), other=(3, 0.5, 2.0))
    assert replace_section("", "One", write_repeated(4, 1.0, 3.0)).count("## ") == 2
    with pytest.raises(ValueError, match="Other has no row"):
        describe_repetitions(page + "\n## Other\nnothing\n")


def write_page(**processors):
    page = ""
    for name, numbers in processors.items():
        page = replace_section(page, name.title(), write_repeated(*numbers))
    return page


def write_repeated(holds, low, high):
    gains = [low] + [(low + high) / 2] * 2 + [high]
    rows = [
        {"dataset": "few", "model": "wrn-10-1", "instructions": "own", "seeds": f"{i} to {i}"}
        | {"arm": "ra+syn", "over": "ra", "without": 60.0, "with": 60 + gain}
        | Gain(5, gain, gain - 1, gain + 1, 0.01)._asdict()
        | {"verdict": "holds" if i < holds else "undecided"}
        for i, gain in enumerate(gains)
    ]
    layout = TABLES["table1"]
    return format_page(pd.DataFrame(rows), layout, seeds=1, digits=1, confidence=0.95)


def test_replace_block_changes_nothing_else():
    page = "a\n<!-- begin: make readme -->\nold\\1\n<!-- end: make readme -->\nb\n"
    new = replace_block(page, r"new \1")
    assert new == page.replace("old\\1", "new \\1") and replace_block(new, r"new \1") == new
    with pytest.raises(ValueError, match="markers"):
        replace_block("a\n", "new")
