"""Training batches of the U-Net: same-class image pairs and a mixed embedding (Section 3.3).

Every random choice of a step comes from one stream seeded by the step's number, so training can
stop and resume anywhere, and any number of processes sees the same global batch.

Axes: n images, f flips (as is, mirrored), c latent channels, y and x latent positions; k captions,
m context tokens, d text width; b pairs.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mvc.banks.mixing import materialise
from mvc.banks.recipes import Recipes
from mvc.core.seeds import derive_seed


class Groups:
    """Rows sorted by label, once, so that a step finds those of a label without reading all."""

    def __init__(self, labels: Int[Tensor, " n"]):
        self.order = labels.argsort(stable=True)
        self.place = torch.empty_like(self.order)  # of each row in that order
        self.place[self.order] = torch.arange(len(labels))
        self.labels = labels[self.order]

    def find(self, wanted: Int[Tensor, " b"]) -> tuple[Int[Tensor, " b"], Int[Tensor, " b"]]:
        """Find where the rows of each wanted label start in the order, and their number."""
        start = torch.searchsorted(self.labels, wanted)
        return start, torch.searchsorted(self.labels, wanted, right=True) - start


@dataclass(frozen=True)
class Pool:
    """All that batches are drawn from: cached latents, caption embeddings and the bank."""

    mean: Float[Tensor, "n f c y x"]  # of the VAE's posterior, unscaled
    std: Float[Tensor, "n f c y x"]
    labels: Int[Tensor, " n"]
    tokens: Float[Tensor, "k m d"]  # caption k is image k's
    null: Float[Tensor, "m d"]
    recipes: Recipes | None = None  # with `text: bank`
    recipe_labels: Int[Tensor, " r"] | None = None

    @cached_property
    def groups(self) -> Groups:
        """The images of each class."""
        return Groups(self.labels)

    @cached_property
    def recipe_groups(self) -> Groups:
        """The recipes of each class."""
        return Groups(self.recipe_labels)


@dataclass(frozen=True)
class Batch:
    """One step's global batch."""

    latents: Float[Tensor, "b c y x"]  # z_0 of x, scaled
    image: Float[Tensor, "b c y x"]  # e_I of x', zero where dropped
    text: Float[Tensor, "b m d"]  # e_T, the null embedding where dropped
    noise: Float[Tensor, "b c y x"]
    timestep: Int[Tensor, " b"]

    def __len__(self) -> int:
        return len(self.timestep)

    def split(self, size: int | None) -> list["Batch"]:
        """Split into micro-batches of at most `size` pairs; None: one of all."""
        size = size or len(self)
        device = self.timestep.device
        return [self.select(slice(i, i + size), device) for i in range(0, len(self), size)]

    def select(self, rows: slice, device) -> "Batch":
        """Select the rows of one process, on its device."""
        return Batch(*(getattr(self, f)[rows].to(device) for f in self.__dataclass_fields__))


def draw_batch(
    pool: Pool,
    *,
    step: int,
    batch_size: int,
    pairing: str,
    text: str,
    dropout: dict[str, float],
    scaling_factor: float,
    timesteps: int,
    seed: int,
) -> Batch:
    """Draw the batch of one step.

    Args:
        pairing: `class`: x' is another image of x's class, itself where it is the only one;
            `own`: x' = x, the ablation of Section 4.2.2.
        text: `bank`: a mixed embedding of the class (the caption of x where it has none, as with
            `banks.per_class`); `caption`: the caption of x, unmixed.
        dropout: probability to drop `text` alone, `image` alone, and `both`.
        timesteps: T.
    """
    rng = torch.Generator().manual_seed(derive_seed(seed, "unet", step))

    def uniform(high: Tensor) -> Tensor:  # integers in [0, high)
        return (torch.rand(batch_size, generator=rng, dtype=torch.float64) * high).long()

    x = uniform(torch.tensor(len(pool.labels)))
    other = choose_partners(pool.groups, x, pool.labels[x], uniform) if pairing == "class" else x
    flip = torch.randint(pool.mean.shape[1], (batch_size,), generator=rng)  # tied in a pair
    mean, std = pool.mean[x, flip], pool.std[x, flip]
    posterior = mean + std * torch.randn(mean.shape, generator=rng)
    if text == "caption":
        uniform(torch.tensor(1))  # in place of an entry's draw: later draws are those of `bank`
        states = pool.tokens[x]
    else:
        entry, there = choose_entries(pool.recipe_groups, pool.labels[x], uniform)
        states = materialise(pool.tokens, pool.recipes[entry])
        states[~there] = pool.tokens[x][~there]
    chance = torch.rand(batch_size, generator=rng)
    edges = torch.tensor([dropout["text"], dropout["image"], dropout["both"]]).cumsum(0)
    no_text = (chance < edges[0]) | ((chance >= edges[1]) & (chance < edges[2]))
    no_image = (chance >= edges[0]) & (chance < edges[2])
    return Batch(
        latents=posterior * scaling_factor,
        image=pool.mean[other, flip] * ~no_image[:, None, None, None],
        text=torch.where(no_text[:, None, None], pool.null, states),
        noise=torch.randn(mean.shape, generator=rng),
        timestep=torch.randint(timesteps, (batch_size,), generator=rng),
    )


def choose_partners(groups: Groups, x: Tensor, labels: Tensor, uniform) -> Tensor:
    """Choose for each image another of its class, uniformly; itself if it is the only one."""
    start, count = groups.find(labels)
    shift = 1 + uniform((count - 1).clamp(min=1))
    within = (groups.place[x] - start + torch.where(count > 1, shift, 0)) % count
    return groups.order[start + within]


def choose_entries(groups: Groups, wanted: Tensor, uniform) -> tuple[Tensor, Tensor]:
    """Choose a row of each wanted label, uniformly, and say where there is one (else any row)."""
    start, count = groups.find(wanted)
    row = (start + uniform(count.clamp(min=1))).clamp(max=len(groups.order) - 1)
    return groups.order[row], count > 0
