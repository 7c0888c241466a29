"""A tiny trainer of the U-Net and what it is trained on."""

import tiny
import torch
import tuning
from accelerate import Accelerator
from mvc.banks.recipes import leave_unmixed
from mvc.models.stable_diffusion import widen
from mvc.unet.pairs import Pool
from mvc.unet.trainer import Trainer

TRAINED = "optimizer learning_rate schedule warmup_steps weight_decay max_grad_norm ema_decay"
CFG = {"rank": 2} | {key: tuning.CFG[key] for key in TRAINED.split()}
DRAWING = dict(
    batch_size=4, pairing="class", text="bank", scaling_factor=0.5, timesteps=1000, seed=3
)
DRAWING["dropout"] = {"text": 0.2, "image": 0.2, "both": 0.2}


def make_pool():
    rng = torch.Generator().manual_seed(0)
    mean = torch.randn(6, 2, tiny.LATENT, 8, 8, generator=rng)
    return Pool(
        mean=mean,
        std=torch.full_like(mean, 0.1),
        labels=torch.tensor([0, 0, 0, 1, 1, 1]),
        tokens=torch.randn(6, 5, tiny.TEXT, generator=rng),
        null=torch.randn(5, tiny.TEXT, generator=rng),
        recipes=leave_unmixed(range(6)),
        recipe_labels=torch.tensor([0, 0, 0, 1, 1, 1]),
    )


def trainer(steps=8, train="full", accelerator=None, **changes):
    net = widen(tiny.unet(), tiny.LATENT)
    made = dict(betas=tiny.scheduler(), accelerator=accelerator or Accelerator(cpu=True))
    return Trainer(net, steps=steps, train=train, **made, **CFG | changes)


def weights(t):
    return torch.cat([p.detach().flatten() for p in t.parameters])
