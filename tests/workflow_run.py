"""Running snakemake in a folder, as a user does."""

import os
import re
import subprocess
import sys
from pathlib import Path

# What starts snakemake so that Ctrl-C reaches it: a process in the background would ignore it.
SNAKEMAKE = ("env", "--default-signal=INT", sys.executable, "-m", "snakemake")


def snakemake(
    folder: Path,
    *arguments: str,
    cores: int = 2,
    ok: bool = True,
    timeout: int = 800,
    **environment: str,
) -> str:
    """Run snakemake and return what it prints; fail with it if it does not end as expected."""
    command = [*SNAKEMAKE, "--cores", str(cores), *arguments]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    text = done.stdout + done.stderr
    assert (done.returncode == 0) == ok, text[-6000:]
    return text


def planned(folder: Path, *arguments: str) -> list[str]:
    """The rules that a dry run would execute, sorted, without targets."""
    text = snakemake(folder, "--dry-run", *arguments, cores=1)
    return sorted(set(re.findall(r"^ *(?:local)?rule (\w+):", text, re.M)) - {"all"})
