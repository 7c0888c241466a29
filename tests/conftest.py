"""Shapes are checked at run time in tests: `jaxtyping` annotations of `mvc`, by `beartype`."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from jaxtyping import install_import_hook

hook = install_import_hook("mvc", "beartype.beartype")
