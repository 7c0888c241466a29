"""Checkpoints of a training: saved while it runs, loaded by a restart, removed at its end."""

import shutil
import signal
import time
from collections.abc import Iterable, Mapping
from glob import escape
from pathlib import Path
from types import FrameType

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from mvc.core.atomic import atomic
from mvc.core.hashing import digest_files, digest_settings

SAVE_SECONDS = 120  # shortest time between checkpoints, and before the first
SAVE_SHARE = 0.05  # largest share of the time that saving them takes
SIGNALS = (signal.SIGTERM, signal.SIGINT)  # preemption, a time limit, Ctrl-C


def name_checkpoint(output: str | Path, depends: Mapping, inputs: Iterable[str | Path]) -> Path:
    """Name the checkpoint by all that the result depends on.

    An edit of settings, code or inputs gives another name, so that no stale checkpoint is loaded.

    Args:
        output: the file that the training will write; its checkpoints lie beside it.
        depends: settings, digest of the code, digests of data.
        inputs: files read.
    """
    files = digest_files(*sorted(set(map(str, inputs))))
    key = digest_settings({**depends, "inputs": files})
    return Path(output).with_name(f".{Path(output).name}.checkpoint-{key}.safetensors")


def remove_checkpoints(output: str | Path) -> None:
    """Remove all checkpoints once training is done, damaged and unfinished ones included."""
    folder, name = Path(output).parent, escape(Path(output).name)
    for checkpoint in folder.glob(f".{name}.checkpoint-*"):
        checkpoint.unlink()
    for unfinished in folder.glob(f"..{name}.checkpoint-*.part"):
        shutil.rmtree(unfinished, ignore_errors=True)


def save_checkpoint(tensors: Mapping[str, Tensor], path: Path, *, step: int) -> bool:
    """Save a checkpoint in place of the last one, and return whether that succeeded.

    Tensors that share memory, such as tied embeddings, are each saved. A full disk does not end the
    training: the log reports it, and the last checkpoint stays.
    """
    contiguous, seen = {}, set()
    for name, tensor in tensors.items():
        value = tensor.detach().cpu().contiguous()
        contiguous[name] = value.clone() if value.data_ptr() in seen else value
        seen.add(value.data_ptr())
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


def set_schedule(schedule: LambdaLR, step: int) -> None:
    """Set a schedule, and the learning rates of its optimizer, as after that many steps."""
    schedule.last_epoch = step
    groups = schedule.optimizer.param_groups
    courses = zip(groups, schedule.base_lrs, schedule.lr_lambdas, strict=True)
    for group, peak, course in courses:
        group["lr"] = peak * course(step)


class SaveTimer:
    """When the next checkpoint is due: two minutes after the last, later where saving is slow."""

    def __init__(self):
        self.saved = time.monotonic()
        self.pause = SAVE_SECONDS

    def is_due(self) -> bool:
        """Whether it is time to save."""
        return time.monotonic() - self.saved > self.pause

    def restart(self, begun: float) -> None:
        """Restart after a save that began at a time of the monotonic clock."""
        self.saved = time.monotonic()
        self.pause = max(SAVE_SECONDS, (self.saved - begun) / SAVE_SHARE)


class StopSignal:
    """Record signals within a `with` block, where they do not end the process.

    `name` is that of the last signal. The end of the block restores the former handlers.
    """

    def __init__(self):
        self.name: str | None = None

    def __enter__(self) -> "StopSignal":
        self._before = {number: signal.signal(number, self._record) for number in SIGNALS}
        return self

    def __exit__(self, *raised) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _record(self, number: int, frame: FrameType | None) -> None:
        self.name = signal.Signals(number).name
