"""Output on terminals that are not UTF-8."""

import subprocess
import sys

import pytest
from project_tree import REPO

PRINT = (
    "from mvc.console.terminal import replace_unprintable; replace_unprintable(); "
    "print('1 ± 2 × 3 → Straße 猫')"
)


@pytest.mark.parametrize(
    "encoding, printed",
    [
        ("ascii", "1 +/- 2 x 3 -> Stra\\xdfe \\u732b"),
        ("latin-1", "1 ± 2 × 3 -> Straße \\u732b"),
        ("utf-8", "1 ± 2 × 3 → Straße 猫"),
    ],
)
def test_replace_unprintable_keeps_what_the_terminal_can_show(encoding, printed):
    env = {"PYTHONPATH": str(REPO / "workflow/scripts"), "PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-c", PRINT], env=env, capture_output=True, check=True)
    assert done.stdout.decode(encoding).strip() == printed
