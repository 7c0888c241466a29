"""Fine-tuning of the U-Net on same-class image pairs (Section 3.3, Eq. 4)."""

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import torch
from accelerate import Accelerator
from diffusers import DDPMScheduler
from diffusers.optimization import get_scheduler
from jaxtyping import Float
from safetensors import safe_open
from torch import Tensor

from mvc.core import checkpoint
from mvc.core.checkpoint import SaveTimer, StopSignal
from mvc.core.device import has_exceeded_memory, move_model
from mvc.core.finite import require_finite_weights
from mvc.models.stable_diffusion import compute_target
from mvc.unet import adapt, optimizers
from mvc.unet.average import make_average
from mvc.unet.memory import DEFAULT, Fit, Memory
from mvc.unet.pairs import Batch, Pool, draw_batch
from mvc.unet.validation import Validation


class Trainer:
    """The state of fine-tuning that lives across steps and that checkpoints hold."""

    validation: Validation | None = None  # set before a checkpoint is loaded
    grad_norm = torch.tensor(torch.nan)  # of the last update, before it was clipped

    def __init__(
        self,
        unet: torch.nn.Module,
        *,
        train: str,
        rank: int,
        steps: int,
        learning_rate: float,
        optimizer: str,
        schedule: str,
        warmup_steps: int,
        weight_decay: float,
        max_grad_norm: float,
        ema_decay: float,
        betas: DDPMScheduler,
        accelerator: Accelerator,
        memory: Memory = DEFAULT,
    ):
        """Args: `betas` is the noise schedule; the rest are keys of the config's section `unet`.

        Raises:
            MemoryError: weights, gradients and the optimizer's state do not fit the GPU's memory.
        """
        self.accelerator = accelerator
        self.betas = betas
        self.max_grad_norm = max_grad_norm
        self.steps = steps
        self.step = 0
        self.losses = torch.full((steps,), torch.nan)
        self.kind = train
        self.fit = Fit(memory, train=train, optimizer=optimizer)
        self.unet = unet.train()
        if memory.checkpointing:
            unet.enable_gradient_checkpointing()
        with self.fit.explain_exceeded(list(unet.parameters())):
            move_model(unet, accelerator.device)
            self.parameters = adapt.mark_trained(unet, train, rank=rank)
            adamw = optimizers.build_optimizer(
                optimizer, self.parameters, learning_rate=learning_rate, weight_decay=weight_decay
            )
            self.ema = make_average(self.parameters, ema_decay, place=memory.ema_device)
        self.optimizer = accelerator.prepare(adamw)
        self.schedule = get_scheduler(
            schedule, adamw, num_warmup_steps=warmup_steps, num_training_steps=steps
        )

    def update(self, batch: Batch, stop: StopSignal | None = None) -> tuple[float, str | None]:
        """Take a step on this process's part of the global batch, in parts that fit the memory.

        Returns:
            The mean loss of the global batch, and a signal that any process received.

        Raises:
            MemoryError: not even one pair fits; names the keys to change.
        """
        while True:
            part_loss = self.accumulate(batch)
            loss, signal_name, fits = self.exchange(part_loss, stop)
            if fits:
                break
            self.optimizer.zero_grad()
            torch.cuda.empty_cache()
            self.fit.shrink(len(batch), self.ema, self.parameters)
        if self.accelerator.num_processes > 1:
            for weight in self.parameters:
                weight.grad = self.accelerator.reduce(weight.grad, "mean")
        self.grad_norm = self.accelerator.clip_grad_norm_(self.parameters, self.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.schedule.step()
        self.ema.step(self.parameters)
        return loss, signal_name

    def accumulate(self, batch: Batch) -> Float[Tensor, ""] | None:
        """Accumulate the gradients of a batch, a micro-batch at a time.

        Returns:
            The mean loss; None where the memory did not suffice.
        """
        try:
            losses = [
                self.compute_gradients(part, share=len(part) / len(batch))
                for part in batch.split(self.fit.micro_batch)
            ]
        except RuntimeError as error:
            if not has_exceeded_memory(error):
                raise
            return None
        return torch.stack(losses).sum()

    def compute_gradients(self, batch: Batch, *, share: float) -> Float[Tensor, ""]:
        """Add the gradients of `share` times the loss of a micro-batch; return that product."""
        loss = share * self.compute_loss(batch)
        self.accelerator.backward(loss)
        return loss.detach()

    def compute_loss(self, batch: Batch) -> Float[Tensor, ""]:
        """Compute the mean loss of a micro-batch.

        Loss (Eq. 4): E || eps - eps_theta(z_t, t, e_T, e_I) ||^2, with z_t by Eq. 1; for a U-Net
        that estimates the velocity v in place of eps, see `stable_diffusion.compute_target`.
        """
        noisy = self.betas.add_noise(batch.latents, batch.noise, batch.timestep)
        inputs = torch.cat([noisy, batch.image], dim=1)
        text = batch.text.float()
        with self.accelerator.autocast():
            estimate = self.unet(inputs, batch.timestep, encoder_hidden_states=text).sample
        target = compute_target(self.betas, batch.latents, batch.noise, batch.timestep)
        return torch.nn.functional.mse_loss(estimate.float(), target)

    def train(
        self, pool: Pool, path: Path, show: Callable[[int, float], None], **drawing
    ) -> Tensor:
        """Train to the last step, or until the validation loss has stalled.

        Args:
            path: of the checkpoint, saved at most every two minutes and when a signal asks to
                stop; the caller removes it.
            show: called with step and loss after each step.
            drawing: arguments of `pairs.draw_batch` besides the pool and the step.

        Returns:
            The loss of every step taken.

        Raises:
            SystemExit: one of the processes received SIGTERM or SIGINT.
            ValueError: the loss is not finite.
        """
        part = _choose_rows(drawing["batch_size"], self.accelerator)
        timer = SaveTimer()
        with StopSignal() as stop:
            self.accelerator.wait_for_everyone()  # a signal from now on finds every process ready
            print(f"training {'resumes' if self.step else 'starts'} at step {self.step:,}")
            while not self.is_done():
                batch = draw_batch(pool, step=self.step, **drawing)
                loss, signal_name = self.update(batch.select(part, self.accelerator.device), stop)
                self.losses[self.step] = loss
                self.step += 1
                if not math.isfinite(loss):
                    raise ValueError(
                        f"unet: the loss is {loss} at step {self.step:,}; lower unet.learning_rate"
                    )
                if self.validation:
                    self.validation.measure(self)
                show(self.step, loss)
                if signal_name:
                    self.leave(path, signal_name)
                if timer.is_due() and self.accelerator.is_main_process:
                    begun = time.monotonic()
                    self.save_checkpoint(path)
                    timer.restart(begun)
        return self.losses[: self.step]

    def is_done(self) -> bool:
        """Whether all steps are taken, or the validation loss has stalled."""
        stalled = self.validation is not None and self.validation.has_stalled()
        return self.step >= self.steps or stalled

    @contextmanager
    def use_average(self) -> Iterator[torch.nn.Module]:
        """Put the averaged weights into the U-Net for a while, to be looked at."""
        self.ema.store(self.parameters)
        try:
            self.ema.copy_to(self.parameters)
            yield self.unet.eval()
        finally:
            self.ema.restore(self.parameters)
            self.unet.train()

    def exchange(
        self, loss: Float[Tensor, ""] | None, stop: StopSignal | None
    ) -> tuple[float, str | None, bool]:
        """Exchange between processes: mean loss, a signal that any received, whether all had room.

        Args:
            loss: of this process; None where its memory did not suffice.
        """
        number = signal.Signals[stop.name] if stop and stop.name else 0
        mine = [torch.nan if loss is None else loss.item(), number, loss is None]
        every = self.accelerator.gather(torch.tensor([mine], device=self.accelerator.device))
        number = int(every[:, 1].max())
        signal_name = signal.Signals(number).name if number else None
        return every[:, 0].mean().item(), signal_name, not every[:, 2].any()

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
        for i, weight in enumerate(self.parameters):
            tensors |= {f"weight.{i}": weight.data, f"ema.{i}": self.ema.shadow_params[i]}
        tensors |= optimizers.collect_state(self.optimizer, self.parameters)
        if scaler := self.accelerator.scaler:
            tensors |= {f"scaler.{k}": torch.tensor(v) for k, v in scaler.state_dict().items()}
        if self.validation:
            tensors |= self.validation.collect_state()
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
            for i, weight in enumerate(self.parameters):
                weight.copy_(file.get_tensor(f"weight.{i}"))
                self.ema.shadow_params[i].copy_(file.get_tensor(f"ema.{i}"))
            optimizers.restore_state(self.optimizer, self.parameters, file.get_tensor)
            if scaler := self.accelerator.scaler:
                state = scaler.state_dict()
                scaler.load_state_dict({k: file.get_tensor(f"scaler.{k}").item() for k in state})
            if self.validation:
                self.validation.restore_state(file, main=self.accelerator.is_main_process)
        self.ema.optimization_step = self.step
        checkpoint.set_schedule(self.schedule, self.step)

    def finish(self) -> torch.nn.Module:
        """Put the averaged weights into the U-Net, and return it as a plain one.

        They are those of the last step, or with an early stop those of the lowest validation loss.

        Raises:
            ValueError: a weight is not finite: the last update diverged, whose loss none sees.
        """
        if self.validation:
            weights, chosen = self.validation.choose_weights(self.ema.shadow_params, self.step)
            self.ema.shadow_params = weights
            self.unet.register_to_config(**chosen)
        self.ema.copy_to(self.parameters)
        self.unet.disable_gradient_checkpointing()
        require_finite_weights(self.unet, "unet, after its last step", "lower unet.learning_rate")
        return adapt.merge_adapters(self.unet, self.kind).eval().requires_grad_(False)


def _choose_rows(batch_size: int, accelerator: Accelerator) -> slice:
    """Choose the rows of the global batch that this process trains on."""
    share, rest = divmod(batch_size, accelerator.num_processes)
    if rest:
        raise ValueError(
            f"unet.batch_size = {batch_size}; must be a multiple of unet.processes = "
            f"{accelerator.num_processes}"
        )
    return slice(share * accelerator.process_index, share * (accelerator.process_index + 1))
