"""Synthetic images: who is made from what, and the sampling itself (Section 5).

Image i of a set is the same whatever the shard, the batch or the run that makes it: its source
image and its noise come from streams seeded by i.

Axes: n images, c latent channels, y and x latent positions, m context tokens, d text width.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import interpolate

from mvc.synthetic.guidance import predict_noise
from mvc.core.pixels import decode
from mvc.config.code import stream_seed


def bounds(total: int, shard: int, shards: int) -> range:
    """The global indices of one shard: contiguous, in order, sizes differing by at most one.

    Raises:
        ValueError: the shard is not one of `shards`.
    """
    if not 0 <= shard < shards:
        raise ValueError(f"shard {shard} of {shards}; synthetic.shards must be > {shard}")
    return range(shard * total // shards, (shard + 1) * total // shards)


def choose_sources(
    indices: Sequence[int], labels: Sequence[int], pool: Sequence[int], *, seed: int, stream: str
) -> list[int]:
    """For each image to make, a real image (or caption) of its class, uniformly.

    Args:
        indices: global indices of the images to make.
        labels: their classes.
        pool: class of each real image.
        stream: name of the random stream.

    Returns:
        Rows of the pool.
    """
    members = {label: np.flatnonzero(np.asarray(pool) == label) for label in set(labels)}
    if empty := sorted(label for label, rows in members.items() if not len(rows)):
        raise ValueError(f"no training image of class {empty[0]} to condition on")
    chosen = []
    for i, label in zip(indices, labels, strict=True):
        rng = np.random.default_rng(stream_seed(seed, stream, i))
        chosen.append(int(rng.choice(members[label])))
    return chosen


def noise_seed(seed: int, generator: str, index: int) -> int:
    """The seed of one image's z_T."""
    return stream_seed(seed, f"synthetic/{generator}/noise", index)


def initial_noise(seeds: Sequence[int], shape: tuple[int, int, int]) -> Float[Tensor, "n c y x"]:
    """z_T ~ N(0, I) of each image from its own seed, drawn on the CPU on every machine."""
    return torch.stack(
        [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    )


@torch.inference_mode()
def sample(
    unet,
    solver,
    noise: Float[Tensor, "n c y x"],
    *,
    text: Float[Tensor, "n m d"],
    null: Float[Tensor, "m d"],
    image: Float[Tensor, "n c y x"] | None,
    steps: int,
    mode: str,
    scale: float | int,
    image_scale: float | int,
) -> Float[Tensor, "n c y x"]:
    """Solve from z_T to z_0 with DPM-Solver++, the same conditions at every step (Eq. 5).

    Args:
        image: e_I, or None for a U-Net that takes none.
        mode, scale, image_scale: see `guidance.predict_noise`.
    """
    solver.set_timesteps(steps, device=noise.device)
    latents = noise * solver.init_noise_sigma
    for timestep in solver.timesteps:
        estimate = predict_noise(
            unet,
            solver.scale_model_input(latents, timestep),
            timestep,
            text=text,
            null=null,
            image=image,
            mode=mode,
            scale=scale,
            image_scale=image_scale,
        )
        latents = solver.step(estimate, timestep, latents).prev_sample
    return latents


def resize(pixels: UInt8[Tensor, "n 3 h w"], size: int) -> UInt8[Tensor, "n 3 s s"]:
    """Square images at another size: bicubic, antialiased on the way down."""
    if pixels.shape[-1] == size:
        return pixels
    return interpolate(pixels, (size, size), mode="bicubic", antialias=True)


def native_side(files: Iterable[bytes], *, resolution: int) -> int:
    """Side in pixels at which images are stored: the data set's, the generator's at most.

    The data set's is the shorter side of its images, where all of them share it.
    """
    sides = {min(decode(data).size) for data in files}
    return min(*sides, resolution) if len(sides) == 1 else resolution
