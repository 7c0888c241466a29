"""Checkpoints of fine-tuning: saved while it runs, loaded by a restart, removed at its end."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mvc.core.atomic import atomic
from mvc.core.hashing import digest_files, digest_settings


def name_checkpoint(weights: str | Path, depends: Mapping, inputs: Iterable[str]) -> Path:
    """Name the checkpoint by all that the weights depend on.

    An edit of settings, code or inputs gives another name, so that no stale checkpoint is loaded.

    Args:
        weights: the file that training will write.
        depends: settings and digest of the code.
        inputs: files read.
    """
    files = digest_files(*sorted(set(map(str, inputs))))
    key = digest_settings({**depends, "inputs": files})
    return Path(weights).with_name(f".checkpoint-{key}.safetensors")


def remove_checkpoints(weights: str | Path) -> None:
    """Remove all checkpoints once training is done, damaged and unfinished ones included."""
    folder = Path(weights).parent
    for checkpoint in folder.glob(".checkpoint-*"):
        checkpoint.unlink()
    for unfinished in folder.glob("..checkpoint-*.part"):
        shutil.rmtree(unfinished, ignore_errors=True)


def save_checkpoint(tensors: Mapping[str, Tensor], path: Path, *, step: int) -> bool:
    """Save a checkpoint in place of the last one, and return whether that succeeded.

    A full disk does not end the training: the log reports it, and the last checkpoint stays.
    """
    contiguous = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    try:
        with atomic(path) as temporary:
            save_file(contiguous, temporary, {"step": str(step)})
    except (OSError, SafetensorError) as error:
        print(f"step {step:,}: the checkpoint could not be saved: {error}")
        return False
    return True


def set_aside_damaged(path: Path) -> None:
    """Rename a checkpoint that cannot be read, for instance one cut off by a crash, and log it."""
    try:
        with safe_open(path, "pt") as file:
            file.keys()
    except FileNotFoundError:
        return
    except (OSError, SafetensorError) as error:
        damaged = path.with_suffix(".damaged")
        path.replace(damaged)
        print(f"the checkpoint is damaged ({error}) and now {damaged}: training starts again")
