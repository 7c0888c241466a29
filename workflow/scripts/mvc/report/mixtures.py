"""Mixed captions to be read: which tokens came from which caption (Algorithm 1).

Rows are those of the embedding, one per token: the start token, the words, the end, then padding.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from mvc.banks.mixing import trace_coarse_sources
from mvc.banks.recipes import stack_recipes

ROWS = 77  # of CLIP's text tower


@cache
def load_tokenizer(clip: str):
    """The tokenizer of a CLIP model without its weights: its folder's vocabulary, or CLIP's own."""
    from open_clip.tokenizer import SimpleTokenizer  # imports torch and takes seconds

    merges = Path(clip) / "bpe.txt.gz"
    return SimpleTokenizer(str(merges)) if merges.is_file() else SimpleTokenizer()


def split_tokens(prompt: str, tokenizer) -> list[str]:
    """The text of each row of a prompt that is no padding; a space follows the end of a word."""
    words = [tokenizer.decode([token]) for token in tokenizer.encode(prompt)][: ROWS - 2]
    return ["⟨start⟩ ", *words, "⟨end⟩"]


def describe_mixture(recipe: Mapping) -> dict:
    """Which caption each part of a mixed embedding comes from.

    Args:
        recipe: a row of the bank.

    Returns:
        `base`: the caption that is edited; `parts`: runs of rows [caption, first, last]; `fine`:
        edits of part of a row [caption, row, first, last element].
    """
    source = trace_coarse_sources(stack_recipes([recipe]), ROWS)[0].tolist()
    parts: list[list[int]] = []
    for row, caption in enumerate(source):
        if parts and parts[-1][0] == caption:
            parts[-1][2] = row
        else:
            parts.append([caption, row, row])
    fine = [[e["donor"], e["row"], e["first"], e["last"]] for e in recipe["fine"]]
    return {"base": recipe["base"], "parts": parts, "fine": fine}


def list_captions_used(mixture: Mapping) -> set[int]:
    """The captions that a mixture is made of, as rows of captions.parquet."""
    return {mixture["base"], *(part[0] for part in (*mixture["parts"], *mixture["fine"]))}
