"""Sampling the images of a plan (Section 3.3): conditions in, pixels out, batch by batch.

Axes: n images, c latent channels, y and x latent positions; s pixels a side.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from mvc.banks.mixing import materialise
from mvc.banks.recipes import Recipes
from mvc.core.batching import advise_resolution, align_batches, fit_memory, pick_batch_size
from mvc.core.finite import require_finite
from mvc.core.image_tables import get_bytes, get_fit
from mvc.core.pixels import encode as encode_png
from mvc.core.pixels import load, resize
from mvc.models.stable_diffusion import check_pair, encode, load_solver, load_unet, load_vae
from mvc.models.stable_diffusion import decode as decode_latents
from mvc.synthetic.constant import refuse_constant
from mvc.synthetic.guidance import count_branches, predict_noise, settle_scales
from mvc.synthetic.plan import Plan

REMEDY = "lower synthetic.scale, or unet.learning_rate and fine-tune again"


@dataclass(frozen=True)
class Sampling:
    """How images are sampled: keys of the config's section `synthetic`; `mode` is `guidance`."""

    steps: int
    mode: str
    scale: float | int
    image_scale: float | int
    batch_size: int
    interval: Sequence[float | int] | None = None
    order: int = 2
    karras: bool = False


@dataclass(frozen=True)
class Sampler:
    """A generator: its models, and the embeddings that all batches share."""

    unet: torch.nn.Module
    vae: torch.nn.Module
    solver: object
    tokens: Float[Tensor, "k m d"]
    null: Float[Tensor, "m d"]
    sampling: Sampling

    @property
    def device(self) -> torch.device:
        return self.unet.device

    @property
    def batch_size(self) -> int:
        """Images sampled at once on this device."""
        return pick_batch_size(self.device, self.sampling.batch_size)

    @property
    def conditioned(self) -> bool:
        """Whether the U-Net takes a conditioning image: it has been widened."""
        return self.unet.config.in_channels > self.vae.config.latent_channels

    def sample(
        self,
        recipes: Recipes,
        seeds: Sequence[int],
        sources: Sequence[bytes] | None,
        *,
        side: int,
        fit: str = "crop",
        places: Sequence[int] | None = None,
    ) -> Iterator[UInt8[Tensor, "b 3 s s"]]:
        """Sample one image for each recipe.

        Args:
            recipes: what e_T is mixed from; without edits it is the embedding of the caption.
            seeds: one per image, for z_T.
            sources: files of the conditioning images x', or None for text only.
            side: resolution in pixels.
            fit: how oblong conditioning images become squares, see `image_tables.get_fit`.
            places: of the images in their set, see `batching.align_batches`; None: from 0 on.

        Yields:
            Batches of images, in order.

        Raises:
            ValueError: a latent or a pixel is not finite.
            MemoryError: a single image does not fit the GPU's memory.
        """
        places = range(len(seeds)) if places is None else places

        def sample_rows(rows: Sequence[int]) -> UInt8[Tensor, "b 3 s s"]:
            batch = [seeds[row] for row in rows]
            files = None if sources is None else [sources[row] for row in rows]
            return self.sample_batch(recipes[rows], batch, files, side=side, fit=fit)

        compute = fit_memory(sample_rows, device=self.device, remedy=advise_resolution(side))
        for rows, kept in align_batches(places, self.batch_size):
            yield compute(rows)[kept]

    def sample_batch(
        self,
        recipes: Recipes,
        seeds: Sequence[int],
        sources: Sequence[bytes] | None,
        *,
        side: int,
        fit: str,
    ) -> UInt8[Tensor, "b 3 s s"]:
        """Sample images at once; see `sample`."""
        factor = 2 ** (len(self.vae.config.block_out_channels) - 1)
        shape = (self.vae.config.latent_channels, side // factor, side // factor)
        image = None
        if sources is not None:
            pixels = load(sources, size=side, fit=fit)
            image = encode(self.vae, pixels, batch_size=len(seeds))[0].to(self.device)
        text = materialise(self.tokens, recipes).float().to(self.device)
        latents = solve(
            self.unet,
            self.solver,
            draw_noise(seeds, shape).to(self.device),
            text=text,
            null=self.null.float().to(self.device),
            image=image,
            steps=self.sampling.steps,
            mode=self.sampling.mode,
            scale=self.sampling.scale,
            image_scale=self.sampling.image_scale,
            interval=self.sampling.interval,
        )
        require_finite(latents, "latents of synthetic images", REMEDY)
        return decode_latents(self.vae, latents)


def load_sampler(
    unet: str | Path,
    embeddings: Mapping[str, Tensor],
    *,
    diffusion: str,
    sampling: Sampling,
    device: torch.device,
) -> Sampler:
    """Load a sampler: a U-Net, fine-tuned or not, and the rest of its Stable Diffusion.

    Args:
        unet: folder or hub name of the U-Net.
        embeddings: `tokens` (k, m, d) and `null` (m, d).
        diffusion: Stable Diffusion's folder or hub name, for the VAE and the noise schedule.
    """
    network = load_unet(unet, text_width=embeddings["tokens"].shape[2], device=device)
    vae = load_vae(diffusion, device=device)
    check_pair(diffusion, network, vae)
    solver = load_solver(diffusion, order=sampling.order, karras=sampling.karras)
    check_interval(solver, sampling)
    return Sampler(
        unet=network,
        vae=vae,
        solver=solver,
        tokens=embeddings["tokens"],
        null=embeddings["null"],
        sampling=sampling,
    )


def read_sampling(cfg: Mapping) -> Sampling:
    """Read the sampling settings from the config's section `synthetic`."""
    return Sampling(
        steps=cfg["steps"],
        mode=cfg["guidance"],
        scale=cfg["scale"],
        image_scale=cfg["image_scale"],
        batch_size=cfg["batch_size"],
        interval=cfg["interval"],
        order=cfg["order"],
        karras=cfg["karras"],
    )


def check_interval(solver, sampling: Sampling) -> None:
    """Refuse guidance in an interval of noise levels that no step of the solver has.

    Raises:
        ValueError: the interval, and the noise levels of the steps.
    """
    if sampling.interval is None:
        return
    levels = list_levels(solver, sampling.steps)
    guided = sum(has_guidance(level, sampling.interval) for level in levels)
    print(f"guidance in {guided} of {sampling.steps} steps (synthetic.interval)")
    if not guided:
        raise ValueError(
            f"synthetic.interval = {list(sampling.interval)}: no step is guided; the noise levels "
            f"of the {sampling.steps} steps are {', '.join(f'{level:.3g}' for level in levels)}: "
            "set an interval that holds some, or null for all"
        )


def count_evaluations(solver, sampling: Sampling, *, conditioned: bool) -> int:
    """Count the evaluations of the U-Net for one image, over all branches of all steps.

    Args:
        conditioned: whether the U-Net takes an image.
    """
    scales = settle_scales(
        sampling.mode, sampling.scale, sampling.image_scale, conditioned=conditioned
    )
    return sum(
        count_branches(*scales) if has_guidance(level, sampling.interval) else 1
        for level in list_levels(solver, sampling.steps)
    )


def list_levels(solver, steps: int) -> list[float]:
    """List the noise level sigma of each step, the noise's deviation over the image's factor."""
    solver.set_timesteps(steps)
    return solver.sigmas[:-1].tolist()


def has_guidance(level: float, interval: Sequence[float | int] | None) -> bool:
    """Whether a step of this noise level is guided: low < level <= high (Kynkaanniemi 2024)."""
    return interval is None or interval[0] < level <= interval[1]


def sample_files(
    sampler: Sampler, plan: Plan, train: pa.Table, *, resolution: int, side: int
) -> Iterator[bytes]:
    """Sample the images of a plan, as PNG files.

    Args:
        resolution: side of the generator's images, in pixels.
        side: side at which they are stored, in pixels.

    Raises:
        ValueError: too many have a single colour, see `constant.refuse_constant`.
    """
    sources = None
    if sampler.conditioned:
        contents = get_bytes(train)
        sources = [contents[row] for row in plan.sources]
    shape = {"side": resolution, "fit": get_fit(train), "places": plan.places}
    batches = sampler.sample(plan.recipes, plan.seeds, sources, **shape)
    for pixels in refuse_constant(batches, total=len(plan.seeds), train=train):
        yield from encode_png(resize(pixels, side), grayscale=False)


def draw_noise(seeds: Sequence[int], shape: tuple[int, int, int]) -> Float[Tensor, "n c y x"]:
    """Draw z_T ~ N(0, I) of each image from its own seed, on the CPU whatever the machine."""
    return torch.stack(
        [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    )


@torch.inference_mode()
def solve(
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
    interval: Sequence[float | int] | None = None,
) -> Float[Tensor, "n c y x"]:
    """Solve from z_T to z_0 with DPM-Solver++, the same conditions at every step (Eq. 5).

    Args:
        image: e_I, or None for a U-Net that takes none.
        mode, scale, image_scale: see `guidance.predict_noise`.
        interval: noise levels of the steps that are guided, see `list_levels`, `has_guidance`; at
            the others the scales are 1.
    """
    solver.set_timesteps(steps, device=noise.device)
    latents = noise * solver.init_noise_sigma
    for timestep, level in zip(solver.timesteps, solver.sigmas[:-1].tolist(), strict=True):
        guided = has_guidance(level, interval)
        estimate = predict_noise(
            unet,
            solver.scale_model_input(latents, timestep),
            timestep,
            text=text,
            null=null,
            image=image,
            mode=mode,
            scale=scale if guided else 1,
            image_scale=image_scale if guided else 1,
        )
        latents = solver.step(estimate, timestep, latents).prev_sample
    return latents
