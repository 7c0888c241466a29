"""Fine-tuning of the U-Net on same-class image pairs (Section 3.3, Eq. 4)."""

import math
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import torch
from accelerate import Accelerator
from diffusers import DDPMScheduler
from diffusers.optimization import get_scheduler
from diffusers.training_utils import EMAModel
from jaxtyping import Float
from safetensors import safe_open
from torch import Tensor

from mvc.core import checkpoint
from mvc.core.checkpoint import SaveTimer, StopSignal
from mvc.core.finite import require_finite_weights
from mvc.models.stable_diffusion import compute_target
from mvc.unet import adapt
from mvc.unet.pairs import Batch, Pool, draw_batch


class Trainer:
    """The state of fine-tuning that lives across steps and that checkpoints hold."""

    def __init__(
        self,
        unet: torch.nn.Module,
        *,
        train: str,
        rank: int,
        steps: int,
        learning_rate: float,
        schedule: str,
        warmup_steps: int,
        weight_decay: float,
        max_grad_norm: float,
        ema_decay: float,
        betas: DDPMScheduler,
        accelerator: Accelerator,
    ):
        """Args: `betas` is the noise schedule; the rest are keys of the config's section `unet`."""
        self.accelerator = accelerator
        self.betas = betas
        self.max_grad_norm = max_grad_norm
        self.steps = steps
        self.step = 0
        self.losses = torch.full((steps,), torch.nan)
        self.kind = train
        unet.to(accelerator.device).train()  # before EMAModel copies the weights
        self.parameters = adapt.mark_trained(unet, train, rank=rank)
        optimizer = torch.optim.AdamW(
            self.parameters, lr=learning_rate, weight_decay=weight_decay, fused=True
        )
        self.ema = EMAModel(self.parameters, decay=ema_decay, foreach=True)
        self.unet, self.optimizer = accelerator.prepare(unet, optimizer)
        self.schedule = get_scheduler(
            schedule, optimizer, num_warmup_steps=warmup_steps, num_training_steps=steps
        )

    def update(self, batch: Batch) -> Float[Tensor, ""]:
        """Take a step on this process's part of the global batch; return its mean loss.

        Loss (Eq. 4): E || eps - eps_theta(z_t, t, e_T, e_I) ||^2, with z_t by Eq. 1; for a U-Net
        that estimates the velocity v in place of eps, see `stable_diffusion.compute_target`.
        """
        noisy = self.betas.add_noise(batch.latents, batch.noise, batch.timestep)
        inputs = torch.cat([noisy, batch.image], dim=1)
        text = batch.text.float()
        with self.accelerator.autocast():
            estimate = self.unet(inputs, batch.timestep, encoder_hidden_states=text).sample
        target = compute_target(self.betas, batch.latents, batch.noise, batch.timestep)
        loss = torch.nn.functional.mse_loss(estimate.float(), target)
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(self.parameters, self.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.schedule.step()
        self.ema.step(self.parameters)
        return loss.detach()

    def train(
        self, pool: Pool, path: Path, show: Callable[[int, float], None], **drawing
    ) -> Tensor:
        """Train to the last step.

        Args:
            path: of the checkpoint, saved at most every two minutes and when a signal asks to
                stop; the caller removes it.
            show: called with step and loss after each step.
            drawing: arguments of `pairs.draw_batch` besides the pool and the step.

        Returns:
            The loss of every step.

        Raises:
            SystemExit: one of the processes received SIGTERM or SIGINT.
            ValueError: the loss is not finite.
        """
        part = _choose_rows(drawing["batch_size"], self.accelerator)
        timer = SaveTimer()
        with StopSignal() as stop:
            self.accelerator.wait_for_everyone()  # a signal from now on finds every process ready
            print(f"training {'resumes' if self.step else 'starts'} at step {self.step:,}")
            while self.step < self.steps:
                batch = draw_batch(pool, step=self.step, **drawing)
                part_loss = self.update(batch.select(part, self.accelerator.device))
                loss, signal_name = self.exchange(part_loss, stop)
                self.losses[self.step] = loss
                self.step += 1
                if not math.isfinite(loss):
                    raise ValueError(
                        f"unet: the loss is {loss} at step {self.step:,}; lower unet.learning_rate"
                    )
                show(self.step, loss)
                if signal_name:
                    self.leave(path, signal_name)
                if timer.is_due() and self.accelerator.is_main_process:
                    begun = time.monotonic()
                    self.save_checkpoint(path)
                    timer.restart(begun)
        return self.losses

    def exchange(self, loss: Float[Tensor, ""], stop: StopSignal) -> tuple[float, str | None]:
        """Exchange loss and signal between processes: the mean loss, a signal that any received."""
        number = signal.Signals[stop.name] if stop.name else 0
        every = self.accelerator.gather(torch.stack([loss, loss.new_tensor(number)])[None])
        number = int(every[:, 1].max())
        return every[:, 0].mean().item(), signal.Signals(number).name if number else None

    def leave(self, path: Path, signal_name: str) -> NoReturn:
        """End this process, as all end at the same step; the main one saves a checkpoint before."""
        saved = self.accelerator.is_main_process and self.save_checkpoint(path)
        self.accelerator.wait_for_everyone()  # the agent ends the others with the first
        resumable = "the checkpoint is saved, run again to resume"
        line = (
            f"stopped by {signal_name} at step {self.step:,} of {self.steps:,}; "
            f"{resumable if saved else 'run again to resume from the last checkpoint'}"
        )
        print(line)
        raise SystemExit(line)

    def save_checkpoint(self, path: Path) -> bool:
        """Save weights, EMA, optimizer and losses: all that the next step depends on."""
        tensors = {"losses": self.losses}
        for i, p in enumerate(self.parameters):
            tensors |= {f"weight.{i}": p.data, f"ema.{i}": self.ema.shadow_params[i]}
            slots = self.optimizer.state[p]
            tensors |= {f"{slot}.{i}": slots[slot] for slot in ("exp_avg", "exp_avg_sq", "step")}
        return checkpoint.save_checkpoint(tensors, path, step=self.step)

    def load_checkpoint(self, path: Path) -> None:
        """Resume from the checkpoint of an earlier run, if there is an undamaged one."""
        if self.accelerator.is_main_process:
            checkpoint.set_aside_damaged(path)
        self.accelerator.wait_for_everyone()
        if path.is_file():
            self._restore(path)

    @torch.no_grad()
    def _restore(self, path: Path) -> None:
        """Restore what `save_checkpoint` wrote."""
        with safe_open(path, "pt") as file:
            self.step = int(file.metadata()["step"])
            self.losses = file.get_tensor("losses")
            slots = ("exp_avg", "exp_avg_sq", "step")
            for i, p in enumerate(self.parameters):
                p.copy_(file.get_tensor(f"weight.{i}"))
                self.ema.shadow_params[i].copy_(file.get_tensor(f"ema.{i}"))
                saved = {slot: file.get_tensor(f"{slot}.{i}") for slot in slots}
                self.optimizer.state[p] = {
                    slot: t if slot == "step" and p.device.type == "cpu" else t.to(p.device)
                    for slot, t in saved.items()
                }
        self.ema.optimization_step = self.step
        checkpoint.set_schedule(self.schedule, self.step)

    def finish(self) -> torch.nn.Module:
        """Put the EMA's weights into the U-Net, and return it without the wrapper of training.

        Raises:
            ValueError: a weight is not finite: the last update diverged, whose loss none sees.
        """
        self.ema.copy_to(self.parameters)
        unet = self.accelerator.unwrap_model(self.unet, keep_fp32_wrapper=False)
        require_finite_weights(unet, "unet, after its last step", "lower unet.learning_rate")
        return adapt.merge_adapters(unet, self.kind).eval().requires_grad_(False)


def _choose_rows(batch_size: int, accelerator: Accelerator) -> slice:
    """Choose the rows of the global batch that this process trains on."""
    share, rest = divmod(batch_size, accelerator.num_processes)
    if rest:
        raise ValueError(
            f"unet.batch_size = {batch_size}; must be a multiple of unet.processes = "
            f"{accelerator.num_processes}"
        )
    return slice(share * accelerator.process_index, share * (accelerator.process_index + 1))
