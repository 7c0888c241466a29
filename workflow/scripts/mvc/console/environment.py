"""The environment of a script that users start with any Python: the project's, if there is one."""

import os
import sys
from importlib.util import find_spec

PYTHON = os.path.join(".venv", "bin", "python")
OLDEST = (3, 11)
REMEDY = "install the environment with `make environment` (6 GB), or activate yours"


def enter_environment() -> bool:
    """Start this script again with the Python of `.venv` if this one has no Snakemake.

    Python 3.9 and later read this module and those above it, so they have no newer syntax.

    Returns:
        Whether there is Snakemake.
    """
    if find_spec("snakemake"):
        return True
    if os.path.exists(PYTHON) and os.path.realpath(sys.prefix) != os.path.realpath(".venv"):
        os.execv(PYTHON, [PYTHON, *sys.argv])
    if sys.version_info < OLDEST:
        version = ".".join(map(str, sys.version_info[:2]))
        sys.exit(f"{sys.executable} is Python {version}: {REMEDY}")
    return False
