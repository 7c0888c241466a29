"""Instruction sets that a CPU's libraries are held to, so that one machine rounds as another would.

PyTorch, oneDNN and MKL choose their code by the processor. Each reads its variable when it first
computes, so that a job can set it after their import.
"""

import os
from pathlib import Path

SETS = {
    "sse4": {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_CBWR": "COMPATIBLE",
    },
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "AVX2"},
    "avx512": {
        "ATEN_CPU_CAPABILITY": "avx512",
        "ONEDNN_MAX_CPU_ISA": "AVX512_CORE",
        "MKL_CBWR": "AVX512",
    },
}
NEEDED = {"sse4": "sse4_1", "avx2": "avx2", "avx512": "avx512bw"}  # flag of the processor
FLAGS = Path("/proc/cpuinfo")


def limit_instructions(name: str | None) -> None:
    """Hold this process and those that it starts to an instruction set; None: the machine's own.

    Raises:
        ValueError: the processor does not have it, or is of another kind than x86-64.
    """
    if name is None:
        return
    flags = FLAGS.read_text(encoding="utf-8") if FLAGS.is_file() else ""
    if NEEDED[name] not in flags.split():
        raise ValueError(
            f"instructions = {name}: this processor has no {NEEDED[name]}; set another one of "
            f"{', '.join(SETS)}, or null for the machine's own"
        )
    os.environ.update(SETS[name])
