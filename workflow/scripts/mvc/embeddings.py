"""Token-level CLIP embeddings of prompts (Section 3.2): E = {e_1 .. e_K}.

Axes: k prompts, m context tokens, d text width.
"""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from mvc.console.progress import progress
from mvc.core.batching import align_batches, fit_memory, pick_batch_size
from mvc.core.finite import require_finite
from mvc.models.clip import REMEDY, compute_text_states, tokenize


def embed(
    prompts: Sequence[str],
    *,
    model: nn.Module,
    tokenizer,
    batch_size: int,
    padding: int | None = None,
) -> Iterator[Float[Tensor, "b m d"]]:
    """Embed prompts a batch at a time, in float16 on the CPU.

    Args:
        padding: see `clip.tokenize`.
    """
    device = next(model.parameters()).device
    ids, _ = tokenize(tokenizer, prompts, padding=padding)

    def embed_rows(rows: Sequence[int]) -> Float[Tensor, "b m d"]:
        states = compute_text_states(model, ids[rows].to(device)).half().cpu()
        return require_finite(states, "CLIP's text embeddings in float16", REMEDY)

    compute = fit_memory(embed_rows, device=device, remedy=REMEDY)
    for rows, kept in align_batches(range(len(ids)), pick_batch_size(device, batch_size)):
        yield compute(rows)[kept]


def embed_distinct(
    prompts: Sequence[str],
    *,
    model: nn.Module,
    tokenizer,
    batch_size: int,
    padding: int | None = None,
) -> dict[str, Tensor]:
    """Embed prompts and an empty one, identical prompts once.

    Args:
        padding: see `clip.tokenize`.

    Returns:
        `tokens` (k, m, d) and `null` (m, d) in float16; `n_tokens` (k), see `count_tokens`.
    """
    texts, index = find_distinct(prompts)
    settings = {"tokenizer": tokenizer, "batch_size": batch_size, "padding": padding}
    batches = embed([*texts, ""], model=model, **settings)
    states = torch.cat([*progress(batches, total=len(texts) + 1, unit="prompts", count=len)])
    n_tokens = count_tokens(texts, tokenizer=tokenizer)[index]
    return {"tokens": states[index], "null": states[-1].clone(), "n_tokens": n_tokens}


def find_distinct(prompts: Sequence[str]) -> tuple[list[str], Int[Tensor, " k"]]:
    """Find the distinct prompts, in order of first appearance, and which of them each prompt is."""
    index = {prompt: i for i, prompt in enumerate(dict.fromkeys(prompts))}
    return list(index), torch.tensor([index[prompt] for prompt in prompts], dtype=torch.int64)


def count_tokens(prompts: Sequence[str], *, tokenizer) -> Int[Tensor, " k"]:
    """Count the tokens of each prompt, start and end included; those beyond m are cut."""
    return torch.tensor(tokenize(tokenizer, prompts)[1], dtype=torch.int64)
