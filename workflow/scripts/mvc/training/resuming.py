"""Long trainings of a classifier that are stopped, and go on with the same result.

A checkpoint holds what the next step depends on: weights and statistics of the network, the
optimizer's moments, the scale of gradients in float16, the state of the augmentation's generator.
The order of images is drawn again from its seed up to the step. Nothing is saved in the first two
minutes of a training.
"""

import time
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.amp import GradScaler

from mvc.core.checkpoint import SaveTimer, StopSignal, save_checkpoint, set_aside_damaged


class Checkpoint:
    """The checkpoint of one training; a `with` block records signals, at which it is saved.

    Args:
        path: of the file, by `core.checkpoint.name_checkpoint`; the caller removes it.
        draws: the generator that augmentation draws from.
    """

    def __init__(self, path: Path, draws: torch.Generator):
        self.path = path
        self.draws = draws
        self.seconds = 0.0  # of training before this start
        self._start = time.perf_counter()
        self._timer = SaveTimer()
        self._first = self._timer.saved
        self._stop = StopSignal()
        self._saved: dict[str, Tensor] = {}

    def __enter__(self) -> "Checkpoint":
        self._stop.__enter__()
        return self

    def __exit__(self, *raised) -> None:
        self._stop.__exit__(*raised)

    def load(self, net: nn.Module, scaler: GradScaler) -> int:
        """Load network, scaler and generator of a stopped training; return the steps it had taken.

        A damaged checkpoint is set aside, and training starts again.
        """
        set_aside_damaged(self.path)
        if not self.path.is_file():
            return 0
        with safe_open(self.path, "pt") as file:
            step = int(file.metadata()["step"])
            self._saved = {name: file.get_tensor(name) for name in file.keys()}
        net.load_state_dict(self._list_saved("net."))
        scaler.load_state_dict({k: v.item() for k, v in self._list_saved("scaler.").items()})
        self.draws.set_state(self._saved["draws"])
        self.seconds = float(self._saved["seconds"])
        print(f"training resumes at step {step:,}")
        return step

    def load_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        """Load the moments of the optimizer whose training was stopped."""
        for i, parameter in enumerate(list_parameters(optimizer)):
            optimizer.state[parameter] = {
                slot: torch.empty_like(parameter).copy_(value) if value.ndim else value
                for slot, value in self._list_saved(f"optimizer.{i}.").items()
            }

    def keep(
        self, step: int, net: nn.Module, optimizer: torch.optim.Optimizer, scaler: GradScaler
    ) -> None:
        """Save where it is time to; save and end the process where a signal asks to stop.

        Raises:
            SystemExit: the process received SIGTERM or SIGINT.
        """
        if not (self._stop.name or self._timer.is_due()):
            return
        begun = time.monotonic()
        long = self.seconds or self._timer.saved > self._first or self._timer.is_due()
        saved = long and self._save(step, net, optimizer, scaler)
        self._timer.restart(begun)
        if self._stop.name:
            resumable = "the checkpoint is saved, run again to resume"
            advice = resumable if saved else "run again"
            line = f"stopped by {self._stop.name} at step {step:,}; {advice}"
            print(line)
            raise SystemExit(line)

    def _list_saved(self, start: str) -> dict[str, Tensor]:
        return {k.removeprefix(start): v for k, v in self._saved.items() if k.startswith(start)}

    def _save(
        self, step: int, net: nn.Module, optimizer: torch.optim.Optimizer, scaler: GradScaler
    ) -> bool:
        spent = self.seconds + time.perf_counter() - self._start
        tensors = {f"net.{name}": tensor for name, tensor in net.state_dict().items()}
        tensors |= {"draws": self.draws.get_state(), "seconds": torch.tensor(spent)}
        tensors |= {f"scaler.{key}": torch.tensor(v) for key, v in scaler.state_dict().items()}
        for i, parameter in enumerate(list_parameters(optimizer)):
            slots = optimizer.state[parameter]
            tensors |= {f"optimizer.{i}.{slot}": value for slot, value in slots.items()}
        return save_checkpoint(tensors, self.path, step=step)


def list_parameters(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """The parameters of an optimizer, in order."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
