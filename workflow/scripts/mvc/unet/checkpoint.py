"""The resume state of fine-tuning: a file that a restart takes up, and nothing else reads."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mvc.core.atomic import atomic
from mvc.core.hashing import digest_files, digest_settings


def name_checkpoint(weights: str | Path, depends: Mapping, inputs: Iterable[str]) -> Path:
    """Where the resume state lies: named by all that the weights depend on.

    An edit of settings, code or inputs gives another name, so that no stale state is taken up.

    Args:
        weights: the file that training will write.
        depends: settings and digest of the code.
        inputs: files read.
    """
    files = digest_files(*sorted(set(map(str, inputs))))
    key = digest_settings({**depends, "inputs": files})
    return Path(weights).with_name(f".state-{key}.safetensors")


def remove_checkpoints(weights: str | Path) -> None:
    """Remove all resume states, damaged ones and those begun too: training is done."""
    folder = Path(weights).parent
    for state in folder.glob(".state-*"):
        state.unlink()
    for begun in folder.glob("..state-*.part"):
        shutil.rmtree(begun, ignore_errors=True)


def write(tensors: Mapping[str, Tensor], path: Path, *, step: int) -> bool:
    """Write a state over the last one; whether that went well.

    A full disk ends no training that goes well: the log says so, and the last state stays.
    """
    contiguous = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    try:
        with atomic(path) as temporary:
            save_file(contiguous, temporary, {"step": str(step)})
    except (OSError, SafetensorError) as error:
        print(f"step {step:,}: the state could not be saved: {error}")
        return False
    return True


def set_aside_damaged(path: Path) -> None:
    """Rename a state that cannot be read, such as one cut off by a crash, and say so in the log."""
    try:
        with safe_open(path, "pt") as file:
            file.keys()
    except FileNotFoundError:
        return
    except (OSError, SafetensorError) as error:
        damaged = path.with_suffix(".damaged")
        path.replace(damaged)
        print(f"the saved state is damaged ({error}): training starts anew; it is now {damaged}")
