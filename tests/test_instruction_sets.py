"""Equality to the last bit holds with other instruction sets than this machine's own, too.

The libraries that multiply choose their code by the processor. Environment variables let them take
the code of an older one, in which another row of a product may be summed in another order.
"""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

TESTS = Path(__file__).parent
SETTINGS = {
    "AVX2": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    },
    "MKL alone": {"MKL_CBWR": "AVX2"},
    "oldest": {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_CBWR": "COMPATIBLE",
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("instructions", SETTINGS)
def test_bitwise_equalities_hold_with_other_instructions(instructions):
    """All tests marked `bitwise`, in a process of their own."""
    if platform.machine() != "x86_64" or not torch.backends.mkl.is_available():
        pytest.skip(f"{platform.machine()}: the variables are for MKL and oneDNN on x86-64")
    if "AVX2" not in (able := torch.backends.cpu.get_cpu_capability()) and able != "AVX512":
        pytest.skip(f"this processor has {able} alone")
    marked = [str(f) for f in TESTS.rglob("test_*.py") if "\n@pytest.mark.bitwise" in f.read_text()]
    command = [sys.executable, "-m", "pytest", "-m", "bitwise and not slow", *marked]
    env = os.environ | {"OMP_NUM_THREADS": "1"} | SETTINGS[instructions]
    done = subprocess.run(command, cwd=TESTS.parent, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
