"""Fine-tuning of the U-Net on same-class image pairs (Section 4, Eq. 4)."""

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

from mvc.unet import checkpoint
from mvc.unet.launch import Stop
from mvc.unet.pairs import Batch, Pool, draw

SAVE_SECONDS = 120  # between resume states, at least
SAVE_SHARE = 0.05  # of the time, at most, goes into saving them


class Trainer:
    """The state of fine-tuning that lives across steps, and that a restart takes up again."""

    def __init__(
        self,
        unet: torch.nn.Module,
        *,
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
        """Args: `betas`, the noise schedule; `ema`, decay; the rest as in the config's section."""
        self.accelerator, self.betas, self.steps = accelerator, betas, steps
        self.max_grad_norm, self.step, self.losses = (
            max_grad_norm,
            0,
            torch.full((steps,), torch.nan),
        )
        unet.to(accelerator.device).train().requires_grad_(True)  # before the average's copy
        self.parameters = list(unet.parameters())
        optimizer = torch.optim.AdamW(
            self.parameters, lr=learning_rate, weight_decay=weight_decay, fused=True
        )
        self.ema = EMAModel(self.parameters, decay=ema_decay, foreach=True)
        self.unet, self.optimizer = accelerator.prepare(unet, optimizer)
        self.rate = get_scheduler(
            schedule, optimizer, num_warmup_steps=warmup_steps, num_training_steps=steps
        )

    def update(self, batch: Batch) -> Float[Tensor, ""]:
        """One update on this process's part of the global batch; the mean loss of that part.

        Loss (Eq. 4): E || eps - eps_theta(z_t, t, e_T, e_I) ||^2, with z_t by Eq. 1.
        """
        noisy = self.betas.add_noise(batch.latents, batch.noise, batch.timestep)
        inputs, text = torch.cat([noisy, batch.image], dim=1), batch.text.float()
        with self.accelerator.autocast():
            estimate = self.unet(inputs, batch.timestep, encoder_hidden_states=text).sample
        loss = torch.nn.functional.mse_loss(estimate.float(), batch.noise)
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(self.parameters, self.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.rate.step()
        self.ema.step(self.parameters)
        return loss.detach()

    def run(self, pool: Pool, state: Path, show: Callable[[int, float], None], **drawing) -> Tensor:
        """Train to the last step.

        Args:
            state: file of the resume state; written every two minutes or more and when a signal
                asks to stop, removed by the caller.
            show: called with step and loss after each update.
            drawing: what `pairs.draw` takes besides the pool and the step.

        Returns:
            The loss of every step.

        Raises:
            SystemExit: SIGTERM or SIGINT came to one of the processes.
        """
        part = _part(drawing["batch_size"], self.accelerator)
        saved, pause = time.monotonic(), SAVE_SECONDS
        with Stop() as stop:
            self.accelerator.wait_for_everyone()  # a signal from now on finds every process ready
            print(f"training {'goes on' if self.step else 'starts'} at step {self.step:,}")
            while self.step < self.steps:
                batch = draw(pool, step=self.step, **drawing)
                own = self.update(batch.rows(part, self.accelerator.device))
                loss, asked = self.agree(own, stop)
                self.losses[self.step] = loss
                self.step += 1
                if loss != loss:
                    raise ValueError(
                        f"unet: the loss is not a number at step {self.step:,}; "
                        f"lower unet.learning_rate"
                    )
                show(self.step, loss)
                if asked:
                    self.leave(state, asked)
                if time.monotonic() - saved > pause and self.accelerator.is_main_process:
                    begun = time.monotonic()
                    self.save(state)
                    saved = time.monotonic()
                    pause = max(SAVE_SECONDS, (saved - begun) / SAVE_SHARE)
        return self.losses

    def agree(self, loss: Float[Tensor, ""], stop: Stop) -> tuple[float, str | None]:
        """The mean loss over all processes, and the signal that came to any: one exchange."""
        number = signal.Signals[stop.asked] if stop.asked else 0
        every = self.accelerator.gather(torch.stack([loss, loss.new_tensor(number)])[None])
        asked = int(every[:, 1].max())
        return every[:, 0].mean().item(), signal.Signals(asked).name if asked else None

    def leave(self, path: Path, asked: str) -> NoReturn:
        """Save the state and end, which every process does at the same step; the main one saves."""
        kept = self.accelerator.is_main_process and self.save(path)
        self.accelerator.wait_for_everyone()  # what ends first has the others ended
        state = "the state is saved, run again to go on"
        line = (
            f"stopped by {asked} at step {self.step:,} of {self.steps:,}; "
            f"{state if kept else 'run again to go on from the last state that was saved'}"
        )
        print(line)
        raise SystemExit(line)

    def save(self, path: Path) -> bool:
        """Write weights, EMA, optimizer and losses: all that the next step depends on."""
        tensors = {"losses": self.losses}
        for i, p in enumerate(self.parameters):
            tensors |= {f"weight.{i}": p.data, f"ema.{i}": self.ema.shadow_params[i]}
            slots = self.optimizer.state[p]
            tensors |= {f"{slot}.{i}": slots[slot] for slot in ("exp_avg", "exp_avg_sq", "step")}
        return checkpoint.write(tensors, path, step=self.step)

    def load_checkpoint(self, path: Path) -> None:
        """Go on from the state of an earlier run, where there is a whole one."""
        if self.accelerator.is_main_process:
            checkpoint.set_aside_damaged(path)
        self.accelerator.wait_for_everyone()
        if path.is_file():
            self.resume(path)

    @torch.no_grad()
    def resume(self, path: Path) -> None:
        """Take up what `save` wrote."""
        with safe_open(path, "pt") as file:
            self.step = int(file.metadata()["step"])
            self.losses = file.get_tensor("losses")
            slots = ("exp_avg", "exp_avg_sq", "step")
            for i, p in enumerate(self.parameters):
                p.copy_(file.get_tensor(f"weight.{i}"))
                self.ema.shadow_params[i].copy_(file.get_tensor(f"ema.{i}"))
                kept = {slot: file.get_tensor(f"{slot}.{i}") for slot in slots}
                self.optimizer.state[p] = {
                    slot: t if slot == "step" and p.device.type == "cpu" else t.to(p.device)
                    for slot, t in kept.items()
                }
        self.ema.optimization_step = self.step
        self.rate.last_epoch = self.step
        for group, peak, course in zip(
            self.optimizer.param_groups, self.rate.base_lrs, self.rate.lr_lambdas, strict=True
        ):
            group["lr"] = peak * course(self.step)

    def finish(self) -> torch.nn.Module:
        """The U-Net with the EMA's weights, as it was before training wrapped it."""
        self.ema.copy_to(self.parameters)
        unet = self.accelerator.unwrap_model(self.unet, keep_fp32_wrapper=False)
        return unet.eval().requires_grad_(False)


def _part(batch_size: int, accelerator: Accelerator) -> slice:
    """The rows of the global batch that this process trains on."""
    share, rest = divmod(batch_size, accelerator.num_processes)
    if rest:
        raise ValueError(
            f"unet.batch_size = {batch_size} does not divide by {accelerator.num_processes} "
            "processes"
        )
    return slice(share * accelerator.process_index, share * (accelerator.process_index + 1))
