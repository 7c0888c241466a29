"""The miniature CLIP: vocabulary, training and quality.

Axes: n pairs, m tokens, c = 3 colour channels, h = w = 32 pixels.
"""

import gzip
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import open_clip
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor, nn

from mvc.miniature import training
from mvc.miniature.corpus import Corpus
from mvc.miniature.render import STYLES
from mvc.miniature.templates import SYNONYMS, add_article
from mvc.models.clip import tokenize


def learn_merges(captions: Sequence[str], *, limit: int) -> list[tuple[str, str]]:
    """Learn byte-pair merges of the captions' words, most frequent pair first, ties by alphabet."""
    counts = Counter(word for text in captions for word in text.replace("-", " ").split())
    words = {word: [*word[:-1], word[-1] + "</w>"] for word in counts}
    merges = []
    while len(merges) < limit:
        pairs = Counter()
        for word, symbols in words.items():
            for pair in zip(symbols, symbols[1:], strict=False):
                pairs[pair] += counts[word]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        words = {word: _merge(symbols, best) for word, symbols in words.items()}
    return merges


def _merge(symbols: list[str], pair: tuple[str, str]) -> list[str]:
    merged, i = [], 0
    while i < len(symbols):
        joined = tuple(symbols[i : i + 2]) == pair
        merged.append("".join(pair) if joined else symbols[i])
        i += 2 if joined else 1
    return merged


def write_merges(merges: Sequence[tuple[str, str]], path: str | Path) -> None:
    """Write merges in the format of open_clip's `SimpleTokenizer`, the same bytes each time."""
    text = "\n".join(["#version: 0.2", *(" ".join(pair) for pair in merges)])
    Path(path).write_bytes(gzip.compress(text.encode(), mtime=0))


def make_configuration(
    *, joint: int, size: int, vision: dict[str, int], text: dict[str, int], vocabulary: int
) -> dict:
    """Make the contents of `open_clip_config.json`."""
    half = [0.5, 0.5, 0.5]
    return {
        "model_cfg": {
            "embed_dim": joint,
            "custom_text": True,
            "vision_cfg": {"image_size": size, **vision},
            "text_cfg": {"context_length": 77, "vocab_size": vocabulary, **text},
        },
        "preprocess_cfg": {
            "mean": half,
            "std": half,
            "interpolation": "bicubic",
            "resize_mode": "shortest",
        },
    }


def create(config: dict) -> nn.Module:
    """Create an untrained CustomTextCLIP."""
    cfg = {k: v for k, v in config["model_cfg"].items() if k != "custom_text"}
    return open_clip.CustomTextCLIP(**cfg)


def normalise_pixels(images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
    """Normalise images for the vision tower."""
    return images.float() / 127.5 - 1


def pool_captions(model: nn.Module, ids: Int[Tensor, "n m"]) -> Float[Tensor, "n j"]:
    """Pool captions to text features of unit length.

    Positions after the longest caption are left out, since the tower is causal.
    """
    tower = model.text
    end = ids.argmax(1)
    ids = ids[:, : int(end.max()) + 1]
    m = ids.shape[1]
    x = tower.token_embedding(ids) + tower.positional_embedding[:m]
    x = tower.ln_final(tower.transformer(x, attn_mask=tower.attn_mask[:m, :m]))
    return F.normalize(x[torch.arange(len(x)), end] @ tower.text_projection, dim=-1)


def train(
    model: nn.Module,
    images: UInt8[Tensor, "n 3 h w"],
    ids: Int[Tensor, "n m"],
    pools: Sequence[tuple[float, np.ndarray]],
    *,
    batch_size: int,
    generator: torch.Generator,
    **settings,
) -> None:
    """Train by contrast: each picture against all captions of its batch, and the reverse.

    Args:
        pools: (chance, rows); each batch comes from one pool. Pools of a single greyscale style
            prevent that colour alone solves the contrast.
        settings: of `training.run`.
    """
    chances = torch.tensor([chance for chance, _ in pools])
    rows_of = [torch.from_numpy(rows) for _, rows in pools]

    def loss_of(step: int) -> Tensor:
        pool = rows_of[int(torch.multinomial(chances, 1, generator=generator))]
        rows = pool[torch.randint(len(pool), (batch_size,), generator=generator)]
        seen = F.normalize(model.visual(normalise_pixels(images[rows])), dim=-1)
        read = pool_captions(model, ids[rows])
        logits = model.logit_scale.clamp(max=4.6).exp() * seen @ read.T
        same = (ids[rows][:, None] == ids[rows][None]).all(-1).float()
        target = same / same.sum(1, keepdim=True)  # equal captions are equally right
        return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2

    training.run(model, loss_of, **settings)


def make_pools(
    styles: Int[np.ndarray, " n"], *, plain: float, photo: float
) -> list[tuple[float, Int[np.ndarray, " k"]]]:
    """Make pools of rows with their chances: plain pictures, photographs, everything."""
    rows = {name: np.flatnonzero(styles == STYLES.index(name)) for name in ("plain", "photo")}
    everything = np.arange(len(styles))
    return [(plain, rows["plain"]), (photo, rows["photo"]), (1 - plain - photo, everything)]


def build_tokenizer(merges: str | Path) -> SimpleTokenizer:
    """Build open_clip's tokenizer on a merges file."""
    return SimpleTokenizer(bpe_path=str(merges))


def encode_captions(tokens: SimpleTokenizer, captions: Sequence[str]) -> Int[Tensor, "n m"]:
    """Encode captions as token ids; equal captions are tokenised once."""
    distinct, inverse = np.unique(np.array(captions), return_inverse=True)
    return tokenize(tokens, distinct.tolist())[0][torch.from_numpy(inverse)]


@torch.no_grad()
def measure_quality(model: nn.Module, corpus: Corpus, tokens: SimpleTokenizer) -> dict[str, float]:
    """Measure, in %, recall of 500 pictures' captions, and zero-shot accuracy of plain ones."""
    first = corpus.select(np.arange(min(500, len(corpus.captions))))
    read = pool_captions(model, encode_captions(tokens, first.captions))
    scores = F.normalize(model.visual(normalise_pixels(first.images)), dim=-1) @ read.T
    rank = (scores > scores.diagonal()[:, None]).sum(1)
    recall = {f"recall_at_{k}": _to_percent(rank < k) for k in (1, 5)}
    plain = corpus.select_style("plain")
    guess = predict_zero_shot(model, plain.images, tokens)
    return recall | {"zero_shot_class": _to_percent(guess == torch.from_numpy(plain.labels))}


@torch.no_grad()
def predict_zero_shot(
    model: nn.Module, images: UInt8[Tensor, "n 3 h w"], tokens: SimpleTokenizer
) -> Int[Tensor, " n"]:
    """Predict the class whose synonyms, on a black background, are nearest to each picture."""
    prompts = [[f"{add_article(word)} on a black background" for word in s] for s in SYNONYMS]
    classes = [pool_captions(model, encode_captions(tokens, p)).mean(0) for p in prompts]
    seen = torch.cat([model.visual(normalise_pixels(part)) for part in images.split(256)])
    return (seen @ F.normalize(torch.stack(classes), dim=-1).T).argmax(1)


def _to_percent(hits: Tensor) -> float:
    return round(100 * float(hits.float().mean()), 1)
