"""Memory of fine-tuning on a GPU, counted on tensors without contents: which batch fits which card.

Counted: weights, gradients, AdamW's moments, the moving average, the half-precision copies of
autocast, and what the forward pass keeps for the backward one, in the types that CUDA's autocast
gives it. Added: what a process takes before its first tensor, and the VAE. What a library's kernels
take beside their results is not counted.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from mvc.core.markdown import format_table
from mvc.estimate.architectures import read_config
from mvc.unet.adapt import NORMS, mark_trained
from mvc.unet.memory import BYTES

CARDS = (8, 12, 16, 24, 40)  # GiB, as cards are sold
USABLE = 0.9 * 2**30 / 1e9  # GB of each
SMALL = 4  # GB; what fits any card needs no table
CONTEXT, VAE = 0.5, 0.3  # GB
FLOAT, HALF = 4, 2  # bytes of a number
MADE_AGAIN = ("ResnetBlock2D", "BasicTransformerBlock")  # parts that checkpointing runs again
TOKENS, LARGEST = 77, 256
HEADINGS = (
    "trained",
    "optimizer",
    "average",
    "checkpointing",
    "1 pair",
    *(f"{c} GB" for c in CARDS),
)
# What the table compares: weights that are trained, optimizer, place of the moving average.
WAYS = (
    ("lora", "adamw", "GPU"),
    ("norms", "adamw", "GPU"),
    ("full", "adamw8bit", "CPU"),
    ("full", "adamw", "CPU"),
    ("full", "adamw", "GPU"),
)
NOTE = (
    "GPU memory of fine-tuning at {side} pixels, in GB with one image pair at a time, and the most "
    "pairs at a time that fit a card of so much memory (–: not even one). Counted on tensors "
    "without contents, not measured; a tenth of the card is left free."
)


@dataclass(frozen=True)
class Kept:
    """Bytes of fine-tuning: of all weights, of the trained ones, and by image."""

    weights: int
    trained: int
    whole: int  # kept for the backward pass
    inputs: int  # the same with checkpointing: inputs of the parts that run again
    part: int  # what the largest such part keeps while it runs again

    def add_up(self, pairs: int, *, optimizer: str, average: str, checkpointing: bool) -> float:
        """Add up the memory of a step on so many pairs at a time, in GB."""
        state = self.weights + self.trained + self.trained // FLOAT * BYTES[optimizer]
        state += self.trained if average == "GPU" else 0
        state += self.weights // FLOAT * HALF
        activations = self.inputs + self.part if checkpointing else self.whole
        return (state + pairs * activations) / 1e9 + CONTEXT + VAE


@lru_cache
def count_kept(name: str, side: int, kind: str, rank: int) -> Kept:
    """Count what fine-tuning the U-Net of `models.diffusion` keeps, at `side` pixels.

    Args:
        kind, rank: which weights are trained, see `unet.adapt`.
    """
    from diffusers import UNet2DConditionModel

    levels = len(read_config("diffusion", name, "vae/config.json")["block_out_channels"])
    plain = read_config("diffusion", name, "unet/config.json")
    with torch.device("meta"):
        wide = {**plain, "in_channels": 2 * plain["in_channels"]}
        unet = UNet2DConditionModel.from_config(wide).train()
        trained = sum(p.numel() for p in mark_trained(unet, kind, rank=rank))
    weights = sum(p.numel() for p in unet.parameters())
    whole, part = _count_pass(unet, side // 2 ** (levels - 1))
    unet.enable_gradient_checkpointing()
    inputs, _ = _count_pass(unet, side // 2 ** (levels - 1))
    return Kept(FLOAT * weights, FLOAT * trained, whole, inputs, part)


def format_memory(name: str, side: int, rank: int) -> str:
    """Format which number of pairs fits which card, by way to fine-tune; "" where all fits any."""
    rows = []
    way = {"optimizer": "adamw", "average": "GPU", "checkpointing": False}
    if count_kept(name, side, "full", rank).add_up(LARGEST, **way) < SMALL:
        return ""
    for kind, optimizer, average in WAYS:
        kept = count_kept(name, side, kind, rank)
        for checkpointing in (False, True):
            way = {"optimizer": optimizer, "average": average, "checkpointing": checkpointing}
            named = f"{kind}, rank {rank}" if kind == "lora" else kind
            fits = (str(_find_most(kept, card, way) or "\N{EN DASH}") for card in CARDS)
            one = f"{kept.add_up(1, **way):.1f}"
            rows.append((named, optimizer, average, "yes" if checkpointing else "no", one, *fits))
    return f"{NOTE.format(side=side)}\n\n{format_table(HEADINGS, rows, left=4)}"


def _find_most(kept: Kept, card: int, way: dict) -> int:
    """Find the most pairs, a power of two, that fit a card; 0 for none."""
    most = 0
    while most < LARGEST and kept.add_up(max(1, 2 * most), **way) <= card * USABLE:
        most = max(1, 2 * most)
    return most


def _count_pass(unet: nn.Module, positions: int) -> tuple[int, int]:
    """Bytes that a pass of one image keeps besides weights, and those of its largest part."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    kept: dict[int, Tensor] = {}
    with FakeTensorMode():
        weights = {
            name: torch.empty(p.shape, requires_grad=p.requires_grad)
            for name, p in unet.named_parameters()
        }
        noisy = torch.empty(1, unet.config.in_channels, positions, positions)
        text = torch.empty(1, TOKENS, unet.config.cross_attention_dim)
        given = (noisy, torch.zeros(1, dtype=torch.long), text)
        apart = {p.untyped_storage()._cdata for p in weights.values()}
        shapes = {tuple(p.shape) for p in weights.values()}

        def keep(tensor: Tensor) -> Tensor:
            shape, storage = tuple(tensor.shape), tensor.untyped_storage()._cdata
            is_copy = shape in shapes or shape[::-1] in shapes  # a weight in half precision
            if storage not in apart and not is_copy:
                kept.setdefault(storage, tensor)
            return tensor

        def measure() -> int:
            return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())

        with _watch_parts(unet, measure) as parts, torch.autocast("cpu", torch.bfloat16):
            with saved_tensors_hooks(keep, lambda tensor: tensor):
                torch.func.functional_call(unet, weights, given)
        return measure(), max(parts)


@contextmanager
def _watch_parts(unet: nn.Module, measure: Callable[[], int]) -> Iterator[list[int]]:
    """Measure around each part that checkpointing runs again; norms work in float32, as on CUDA."""
    starts, parts = [], [0]
    hooks = []
    for module in unet.modules():
        if type(module).__name__ in MADE_AGAIN:
            hooks.append(module.register_forward_pre_hook(lambda *_: starts.append(measure())))
            hooks.append(
                module.register_forward_hook(lambda *_: parts.append(measure() - starts.pop()))
            )
        elif isinstance(module, NORMS):
            hooks.append(module.register_forward_pre_hook(lambda _, given: (given[0].float(),)))
    yield parts
    for hook in hooks:
        hook.remove()
