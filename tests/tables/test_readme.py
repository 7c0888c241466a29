"""The README's table is the one that `make readme` writes for the configuration as it is."""

import re

import pytest
import yaml
from mvc.config.expand import expand_config
from mvc.tables.readme import BLOCK, describe_repetitions, describe_run, replace_block
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
    said = re.search(r"In (\d+) of (\d+) repetitions .*? between (\S+) and (\S+) points", PAGE)
    page = (REPO / "docs/repetitions.md").read_text(encoding="utf-8")
    row = re.search(r"^\| Ours\(RA\+Syn\) over RA \| .*$", page, re.MULTILINE)[0]
    assert f"| {said[1]} of {said[2]} |" in row and f"{said[3]}, {said[4]}" in row


def test_repetitions_are_described_in_a_sentence():
    row = {"repetitions": 12, "holds": 11, "low": -0.04, "high": 3.26}
    said = describe_repetitions(row, digits=1)
    assert "In 11 of 12 repetitions" in said and "between 0.0 and +3.3 points" in said


def test_replace_block_changes_nothing_else():
    page = "a\n<!-- begin: make readme -->\nold\\1\n<!-- end: make readme -->\nb\n"
    new = replace_block(page, r"new \1")
    assert new == page.replace("old\\1", "new \\1") and replace_block(new, r"new \1") == new
    with pytest.raises(ValueError, match="markers"):
        replace_block("a\n", "new")
