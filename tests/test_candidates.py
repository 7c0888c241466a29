"""Candidates of an image: the one kept is CLIP's choice, and its provenance is its own."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mvc import banks, candidates, plans, recipes
from mvc.clip_model import load_clip, text_features
from mvc.pixels import encode, load
from torch.nn.functional import normalize

CLIP = Path(__file__).parents[1] / "resources/miniature/clip"
NAMES = {0: "Trouser", 1: "Bag", 2: "Sandal"}


@pytest.fixture(scope="module")
def clip():
    model, _, tokenizer = load_clip(str(CLIP))
    return model, tokenizer


def plan(candidate: int, n: int = 4) -> plans.Plan:
    seeds = [1000 * candidate + i for i in range(n)]
    labels = [0, 0, 1, 2][:n]
    sources, text = labels, recipes.unmixed(labels)
    return plans.Plan("finetuned", range(n), labels, text, [*range(n)], sources, seeds)


def test_the_likeliest_candidate_is_kept_with_its_own_seed():
    files = [[f"{c}{i}".encode() for i in range(4)] for c in range(3)]
    chances = torch.tensor([[0.1, 0.5, 0.9, 0.3], [0.2, 0.5, 0.1, 0.2], [0.3, 0.4, 0.2, 0.4]])
    kept, chosen, sure = candidates.choose([plan(c) for c in range(3)], files, chances)
    assert chosen == [b"20", b"01", b"02", b"23"], "the first of equal ones"
    assert kept.seeds == [2000, 1, 2, 2003]
    assert np.allclose(sure, [0.3, 0.5, 0.9, 0.4])
    same = plan(0)
    assert (kept.labels, kept.sources, kept.bank_ids) == (same.labels, same.sources, same.bank_ids)


def test_probabilities_are_clips_own_zero_shot_ones(clip):
    """Against the model called as open_clip's documentation does."""
    model, tokenizer = clip
    rng = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (11, 3, 32, 32), generator=rng, dtype=torch.uint8)
    files, labels = encode(pixels, grayscale=False), [2, 0, 1] * 3 + [1, 1]
    judged = candidates.Consistency(model, tokenizer, NAMES, prefix="a {class}", batch_size=4)
    chances = judged(files, labels)
    texts = text_features([f"a {name}" for name in NAMES.values()], model, tokenizer)
    mean = torch.tensor(model.visual.image_mean).view(3, 1, 1)
    std = torch.tensor(model.visual.image_std).view(3, 1, 1)
    size = model.visual.image_size
    inputs = (load(files, size=size if isinstance(size, int) else size[0]) / 255 - mean) / std
    with torch.inference_mode():
        logits = model.logit_scale.exp() * normalize(model.encode_image(inputs), dim=1) @ texts.T
    expected = logits.softmax(1)[torch.arange(11), labels]
    assert torch.allclose(chances, expected, atol=1e-5)
    assert torch.equal(chances[:5], judged(files[:5], labels[:5])), "whatever the batch"


def test_further_candidates_are_the_same_plan_with_other_noise():
    labels, tokens = [0, 0, 1, 1], torch.zeros(4, 7, 8)
    options = dict(per_real=1, coarse=1, fine=1, rows="all", base="uniform", seed=0)
    rows = [*banks.mix_classes(labels, tokens, torch.full((4,), 7), **options)]
    bank = recipes.to_table(rows, [0.0] * 4)
    made = [
        plans.make("finetuned", bank, labels, shard=0, shards=1, seed=3, candidate=c)
        for c in range(3)
    ]
    assert made[0].seeds == plans.make("finetuned", bank, labels, shard=0, shards=1, seed=3).seeds
    assert len({seed for one in made for seed in one.seeds}) == 3 * 4
    assert all(one.sources == made[0].sources for one in made)
