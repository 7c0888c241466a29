"""Training batches: same-class pairs, tied flips, dropout, and streams that only the step sets."""

from dataclasses import replace

import pytest
import torch
from mvc.banks import mixing
from mvc.banks.recipes import stack_recipes
from mvc.unet.pairs import Groups, Pool, draw_batch

LABELS = [0, 1, 0, 2, 1, 0, 1, 0]  # class 2 has a single image


@pytest.fixture(scope="module")
def pool():
    """Latents and token states that say which image, flip and class they belong to."""
    n = len(LABELS)
    mean = torch.zeros(n, 2, 2, 1, 1)
    mean[:, :, 0, 0, 0] = torch.arange(n)[:, None] + 1.0
    mean[:, 1, 1] = 1.0
    tokens = torch.arange(1.0, n + 1)[:, None, None].expand(n, 6, 4).contiguous()
    rows = [
        *mixing.mix_classes(
            LABELS,
            tokens,
            torch.full((n,), 6),
            counts={label: 2 * LABELS.count(label) for label in LABELS},
            coarse=1,
            fine=1,
            rows="all",
            base="uniform",
            seed=0,
        )
    ]
    return Pool(
        mean=mean,
        std=torch.zeros_like(mean),
        labels=torch.tensor(LABELS),
        tokens=tokens,
        null=torch.full((6, 4), -1.0),
        recipes=stack_recipes(rows),
        recipe_labels=torch.tensor([row["label"] for row in rows]),
    )


NO_DROPOUT = {"text": 0.0, "image": 0.0, "both": 0.0}


def batch(pool, step=0, **changes):
    options = dict(batch_size=400, pairing="class", text="bank", dropout=NO_DROPOUT)
    options |= dict(scaling_factor=0.5, timesteps=1000, seed=0) | changes
    return draw_batch(pool, step=step, **options)


def image_of(latents, factor=1.0):
    return (latents[:, 0, 0, 0] / factor).long() - 1


def test_pairs_are_distinct_images_of_one_class(pool):
    b = batch(pool)
    x, other = image_of(b.latents, 0.5), image_of(b.image)
    labels = torch.tensor(LABELS)
    assert torch.equal(labels[x], labels[other])
    assert torch.equal(x == other, labels[x] == 2)  # only the single image pairs with itself
    pairs = set(zip(x.tolist(), other.tolist(), strict=True))
    assert {(0, 2), (0, 5), (0, 7), (2, 0), (1, 4), (4, 6)} <= pairs


def test_own_pairing_is_the_same_image(pool):
    b = batch(pool, pairing="own")
    assert torch.equal(image_of(b.latents, 0.5), image_of(b.image))


def test_flips_are_drawn_for_each_pair_and_tied_within_it(pool):
    """diffusers' script flips a whole batch at once, and its pair independently (#2478)."""
    b = batch(pool)
    flipped = b.latents[:, 1, 0, 0] / 0.5
    assert torch.equal(flipped, b.image[:, 1, 0, 0])
    assert 0.4 < flipped.mean() < 0.6


def test_target_is_scaled_and_conditioning_is_not(pool):
    b = batch(pool, pairing="own")
    assert torch.equal(b.latents, 0.5 * b.image)


def test_text_is_of_the_class(pool):
    b = batch(pool)
    labels = torch.tensor(LABELS)
    captions = b.text.long() - 1
    x = image_of(b.latents, 0.5)
    assert (labels[captions] == labels[x][:, None, None]).all()
    unmixed = batch(pool, text="caption")
    own = image_of(unmixed.latents, 0.5)
    assert torch.equal(unmixed.text[:, 0, 0].long() - 1, own)


def test_dropout_rates(pool):
    b = batch(pool, batch_size=4000, dropout={"text": 0.1, "image": 0.2, "both": 0.3})
    no_text = (b.text == -1).all(dim=(1, 2))
    no_image = (b.image == 0).all(dim=(1, 2, 3))
    assert (no_text & ~no_image).float().mean() == pytest.approx(0.1, abs=0.025)
    assert (no_image & ~no_text).float().mean() == pytest.approx(0.2, abs=0.03)
    assert (no_image & no_text).float().mean() == pytest.approx(0.3, abs=0.04)


def test_a_step_is_its_own_stream(pool):
    """A restart at any step draws what an uninterrupted run draws there, and never a repetition."""
    again, same, later = batch(pool, step=7), batch(pool, step=7), batch(pool, step=8)
    for field in ("latents", "image", "text", "noise", "timestep"):
        assert torch.equal(getattr(again, field), getattr(same, field))
        assert not torch.equal(getattr(again, field), getattr(later, field))


def test_processes_share_one_global_batch(pool):
    b = batch(pool, batch_size=8)
    halves = [b.select(slice(0, 4), "cpu"), b.select(slice(4, 8), "cpu")]
    assert torch.equal(torch.cat([h.noise for h in halves]), b.noise)


def test_a_class_without_mixed_embeddings_has_its_own_captions(pool):
    """As with `banks.per_class` where a class has as many real images."""
    keep = pool.recipe_labels != 1
    less = replace(pool, recipes=pool.recipes[keep], recipe_labels=pool.recipe_labels[keep])
    some, every, own = batch(less).text, batch(pool).text, batch(pool, text="caption").text
    left = pool.labels[image_of(batch(pool).latents, 0.5)] == 1
    assert torch.equal(some[left], own[left]) and not torch.equal(some[~left], own[~left])
    assert every.shape == some.shape


def test_groups_find_the_rows_of_each_label():
    groups = Groups(torch.tensor([2, 0, 2, 5, 0]))
    start, count = groups.find(torch.tensor([0, 2, 3, 5]))
    rows = [groups.order[a : a + n].tolist() for a, n in zip(start, count, strict=True)]
    assert rows == [[1, 4], [0, 2], [], [3]]
    assert torch.equal(groups.order[groups.place], torch.arange(5))
