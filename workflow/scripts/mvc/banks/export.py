"""A bank's mixed embeddings as safetensors in shards, for use outside of the pipeline.

Shard i of n, `bank-0000i-of-0000n.safetensors`, holds consecutive recipes as `tokens.i` and further
columns likewise; the first shard also holds `null`. The index lists which shard holds which tensor,
in the layout of sharded checkpoints on the Hugging Face hub. One shard at a time is in memory:
200,000 embeddings of Stable Diffusion are 24 GB.

Axes: k captions, n recipes, m context tokens, d text width.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from jaxtyping import Float, Float16, Int
from safetensors.torch import save_file
from torch import Tensor

from mvc.banks.mixing import materialise
from mvc.banks.recipes import Recipes
from mvc.core.atomic import atomic, write_text

INDEX = ".safetensors.index.json"
SHARD = 2**30  # bytes of embeddings


def write_shards(
    index: Path,
    recipes: Recipes,
    tokens: Float[Tensor, "k m d"],
    null: Float[Tensor, "m d"],
    *,
    columns: Mapping[str, Int[Tensor, " n"]],
    shard_size: int = SHARD,
    show: Callable[[int], None] = lambda done: None,
) -> None:
    """Write the mixed embeddings and `null` in float16 and further columns in int64.

    Shards of an earlier run are removed first; the index is written last, after all shards.

    Args:
        index: path, `<name>.safetensors.index.json`; the shards lie beside it.
        tokens, null: embeddings of the captions and of an empty prompt.
        shard_size, show: bytes of embeddings in a shard; called with the number made so far.
    """
    name = index.name.removesuffix(INDEX)
    for old in index.parent.glob(f"{name}-*-of-*.safetensors"):
        old.unlink()
    rows = max(1, shard_size // (tokens[0].numel() * torch.float16.itemsize))
    count = -(-len(recipes) // rows)
    shards = {}
    total_size = 0
    for number in range(1, count + 1):
        part = slice((number - 1) * rows, number * rows)
        tensors = {f"{key}.{number}": values[part].long() for key, values in columns.items()}
        tensors |= {f"tokens.{number}": materialise_half(tokens, recipes[part])}
        tensors |= {"null": null.half()} if number == 1 else {}
        shard = index.with_name(f"{name}-{number:05}-of-{count:05}.safetensors")
        with atomic(shard) as temporary:
            save_file(tensors, temporary, metadata={"format": "pt"})
        shards |= dict.fromkeys(tensors, shard.name)
        total_size += sum(tensor.nbytes for tensor in tensors.values())
        show(min(part.stop, len(recipes)))
    contents = {"metadata": {"total_size": total_size}, "weight_map": shards}
    write_text(json.dumps(contents, indent=1) + "\n", index)


def materialise_half(
    tokens: Float[Tensor, "k m d"], recipes: Recipes, *, batch_size: int = 64
) -> Float16[Tensor, "n m d"]:
    """The mixed embeddings of recipes in float16, made a batch at a time."""
    mixed = torch.empty(len(recipes), *tokens.shape[1:], dtype=torch.float16)
    for first in range(0, len(recipes), batch_size):
        rows = slice(first, first + batch_size)
        mixed[rows] = materialise(tokens, recipes[rows])
    return mixed
