"""Fine-tuning of the U-Net on same-class image pairs (Section 4, Eq. 4)."""

import time
from collections.abc import Callable
from pathlib import Path

import torch
from accelerate import Accelerator
from diffusers import DDPMScheduler
from diffusers.optimization import get_scheduler
from diffusers.training_utils import EMAModel
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from mvc.pairs import Batch, Pool, draw
from mvc.shards import atomic

SAVE_SECONDS = 120  # between resume states


class Trainer:
    """The state of fine-tuning that lives across steps, and that a restart takes up again."""

    def __init__(
        self,
        unet: torch.nn.Module,
        *,
        steps: int,
        learning_rate: float,
        schedule: str,
        warmup: int,
        weight_decay: float,
        clip_norm: float,
        ema: float,
        betas: DDPMScheduler,
        accelerator: Accelerator,
    ):
        """Args: `betas`, the noise schedule; `ema`, decay; the rest as in the config's section."""
        self.accelerator, self.betas, self.steps = accelerator, betas, steps
        self.clip_norm, self.step, self.losses = clip_norm, 0, torch.full((steps,), torch.nan)
        unet.train().requires_grad_(True)
        self.parameters = list(unet.parameters())
        optimizer = torch.optim.AdamW(
            self.parameters, lr=learning_rate, weight_decay=weight_decay, fused=True
        )
        self.ema = EMAModel(self.parameters, decay=ema, foreach=True)
        self.unet, self.optimizer = accelerator.prepare(unet, optimizer)
        self.rate = get_scheduler(
            schedule, optimizer, num_warmup_steps=warmup, num_training_steps=steps
        )

    def update(self, batch: Batch) -> float:
        """One update on this process's part of the global batch; the global batch's mean loss.

        Loss (Eq. 4): E || eps - eps_theta(z_t, t, e_T, e_I) ||^2, with z_t by Eq. 1.
        """
        noisy = self.betas.add_noise(batch.latents, batch.noise, batch.timestep)
        inputs = torch.cat([noisy, batch.image], dim=1)
        with self.accelerator.autocast():
            estimate = self.unet(inputs, batch.timestep, encoder_hidden_states=batch.text).sample
        loss = torch.nn.functional.mse_loss(estimate.float(), batch.noise)
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(self.parameters, self.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.rate.step()
        self.ema.step(self.parameters)
        return float(self.accelerator.reduce(loss.detach(), "mean"))

    def run(self, pool: Pool, state: Path, show: Callable[[int, float], None], **drawing) -> Tensor:
        """Train from where `state` left off to the last step.

        Args:
            state: file of the resume state; written every two minutes, removed by the caller.
            show: called with step and loss after each update.
            drawing: what `pairs.draw` takes besides the pool and the step.

        Returns:
            The loss of every step.
        """
        if state.is_file():
            self.resume(state)
        part = _part(drawing["batch_size"], self.accelerator)
        saved = time.monotonic()
        while self.step < self.steps:
            batch = draw(pool, step=self.step, **drawing)
            self.losses[self.step] = loss = self.update(batch.rows(part, self.accelerator.device))
            self.step += 1
            if loss != loss:
                raise ValueError(
                    f"unet: the loss is not a number at step {self.step:,}; "
                    f"lower unet.learning_rate"
                )
            show(self.step, loss)
            if time.monotonic() - saved > SAVE_SECONDS and self.accelerator.is_main_process:
                self.save(state)
                saved = time.monotonic()
        return self.losses

    def save(self, path: Path) -> None:
        """Write weights, EMA, optimizer and losses: all that the next step depends on."""
        tensors = {"losses": self.losses}
        for i, p in enumerate(self.parameters):
            tensors |= {f"weight.{i}": p.data, f"ema.{i}": self.ema.shadow_params[i]}
            slots = self.optimizer.state[p]
            tensors |= {f"{slot}.{i}": slots[slot] for slot in ("exp_avg", "exp_avg_sq", "step")}
        contiguous = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
        with atomic(path) as temporary:
            save_file(contiguous, temporary, {"step": str(self.step)})

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
        """The U-Net with the EMA's weights."""
        self.ema.copy_to(self.parameters)
        return self.accelerator.unwrap_model(self.unet).eval().requires_grad_(False)


def _part(batch_size: int, accelerator: Accelerator) -> slice:
    """The rows of the global batch that this process trains on."""
    share, rest = divmod(batch_size, accelerator.num_processes)
    if rest:
        raise ValueError(
            f"unet.batch_size = {batch_size} does not divide by {accelerator.num_processes} "
            "processes"
        )
    return slice(share * accelerator.process_index, share * (accelerator.process_index + 1))
