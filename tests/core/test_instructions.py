"""A job's CPU is held to the instruction set that its settings name."""

import os
import subprocess
import sys

import pytest
from mvc.core import instructions
from mvc.core.instructions import NEEDED, SETS, limit_instructions

PROBE = """
import sys, torch
sys.path.insert(0, {scripts!r})
from mvc.core.instructions import limit_instructions
limit_instructions({name!r})
print(torch.backends.cpu.get_cpu_capability())
"""


def test_every_set_has_a_flag():
    assert SETS.keys() == NEEDED.keys()


@pytest.mark.parametrize("name, capability", [("sse4", "DEFAULT"), ("avx2", "AVX2")])
def test_torch_takes_the_set_after_its_import(name, capability):
    flags = instructions.FLAGS
    if not flags.is_file() or NEEDED[name] not in flags.read_text(encoding="utf-8").split():
        pytest.skip(f"this processor has no {name}")
    scripts = str(next(p for p in map(str, sys.path) if p.endswith("workflow/scripts")))
    code = PROBE.format(scripts=scripts, name=name)
    clean = {k: v for k, v in os.environ.items() if k not in SETS[name]}
    done = subprocess.run([sys.executable, "-c", code], env=clean, capture_output=True, text=True)
    assert done.stdout.strip() == capability, done.stderr


def test_a_set_that_the_processor_lacks_is_refused(monkeypatch, tmp_path):
    flags = tmp_path / "cpuinfo"
    flags.write_text("flags\t: fpu sse4_1 avx2\n", encoding="utf-8")
    monkeypatch.setattr(instructions, "FLAGS", flags)
    before = dict(os.environ)
    with pytest.raises(ValueError, match="instructions = avx512.*no avx512bw"):
        limit_instructions("avx512")
    limit_instructions(None)
    assert dict(os.environ) == before
