"""The miniature models' corpus and trainings, at a scale of seconds."""

import math

import numpy as np
import pytest
import torch
from mvc.miniature import clip, corpus, render, templates, training, unet, vae
from mvc.models.clip import tokenize
from mvc.training.resuming import Checkpoint
from torch import nn

SHARES = {"coloured": 0.5, "photo": 0.2, "plain": 0.3}


@pytest.fixture(scope="module")
def garments():
    """Bright boxes of random shape on black, twenty a class."""
    rng = np.random.default_rng(0)
    images = np.zeros((200, 28, 28), np.uint8)
    for image in images:
        top, left = rng.integers(2, 10, 2)
        height, width = rng.integers(8, 16, 2)
        image[top : top + height, left : left + width] = rng.integers(60, 255, (height, width))
    return images, np.tile(np.arange(10), 20).astype(np.uint8)


@pytest.fixture(scope="module")
def pictures(garments):
    return corpus.build(*garments, size=32, renders=2, shares=SHARES, seed=0)


def test_move_by_whole_pixels_and_flip_changes_no_value():
    image = torch.zeros(1, 32, 32)
    image[0, 10:14, 6:9] = torch.rand(4, 3, generator=torch.Generator().manual_seed(0))
    one = torch.ones(1)
    moved = render.move(image, flip=one, scale=one, shift=torch.tensor([[2.0, -1.0]]))
    assert torch.allclose(moved, image.roll((1, -2), (1, 2)), atol=1e-5)
    flipped = render.move(image, flip=-one, scale=one, shift=torch.zeros(1, 2))
    assert torch.allclose(flipped, image.flip(2), atol=1e-5)


def test_enlarge_is_pillows_bicubic(garments):
    from PIL import Image

    image = garments[0][0]
    expected = np.asarray(Image.fromarray(image).resize((32, 32), Image.Resampling.BICUBIC))
    found = (render.enlarge(torch.from_numpy(image[None]).float() / 255, 32)[0] * 255).round()
    assert np.abs(found.numpy() - expected).max() <= 2  # Pillow rounds between its two passes


def test_silhouette_closes_small_holes_and_leaves_the_ground():
    image = torch.zeros(1, 16, 16)
    image[0, 4:12, 4:12] = 0.8
    image[0, 8, 8] = 0
    mask = render.draw_silhouette(image)[0]
    assert mask[8, 8] == 1 and mask[0, 0] == 0 and mask[4:12, 4:12].min() == 1


def test_corpus_is_the_same_for_the_same_seed_only(garments, pictures):
    again = corpus.build(*garments, size=32, renders=2, shares=SHARES, seed=0)
    other = corpus.build(*garments, size=32, renders=2, shares=SHARES, seed=1)
    assert torch.equal(again.images, pictures.images) and again.captions == pictures.captions
    assert not torch.equal(other.images, pictures.images)


def test_corpus_styles_look_and_read_as_they_should(pictures):
    plain, photo = pictures.select_style("plain"), pictures.select_style("photo")
    coloured = pictures.select(pictures.list_outside(["plain", "photo"]))
    assert len(plain.labels) + len(photo.labels) + len(coloured.labels) == 400
    for grey in (plain.images, photo.images):
        assert torch.equal(grey[:, 0], grey[:, 1]) and torch.equal(grey[:, 0], grey[:, 2])
    corners = plain.images[:, 0, 0, 0].float(), photo.images[:, 0, 0, 0].float()
    assert corners[0].median() == 0 and corners[1].median() > 100
    spread = coloured.images.amax(1).int() - coloured.images.amin(1).int()
    assert (spread.amax((1, 2)) > 40).float().mean() > 0.9
    assert all(text.endswith("a black background") for text in plain.captions)
    assert all("black and white" in text for text in photo.captions)
    assert not any("black" in text for text in coloured.captions)


def test_corpus_captions_name_the_class(pictures):
    named = [templates.find_class(text) for text in pictures.captions]
    assert named == pictures.labels.tolist()


def test_corpus_shares_must_sum_to_one(garments):
    with pytest.raises(ValueError, match="corpus.shares sum to 0.9"):
        shares = {**SHARES, "plain": 0.2}
        corpus.build(*garments, size=32, renders=1, shares=shares, seed=0)


def test_measures_of_a_box():
    image = np.zeros((1, 20, 20))
    image[0, 3:13, 5:9] = 0.5
    brightness, height, width, roughness = templates.measure(image)[0]
    assert (brightness, height, width, roughness) == (0.5, 10, 4, 0)


def test_levels_are_thirds_of_the_own_class():
    measures = np.repeat(np.arange(12.0)[:, None], 4, axis=1)
    measures[6:] += 100
    levels = templates.describe(measures, np.repeat([0, 1], 6))
    assert levels[:, 0].tolist() == [-1, -1, 0, 0, 1, 1] * 2


@pytest.mark.parametrize(
    "text, label",
    [
        ("a bright tee on a black background", 0),
        ("a t-shirt top", 0),
        ("an image of a button shirt", 6),
        ("a high boot on a dark ground", 9),
        ("This is an image of Sandal, a bag", 5),
        ("a thing", None),
    ],
)
def test_named_class(text, label):
    assert templates.find_class(text) == label


def test_words_of_the_captions_are_single_tokens(pictures, tmp_path):
    clip.write_merges(clip.learn_merges(pictures.captions, limit=1000), tmp_path / "bpe.txt.gz")
    tokens = clip.build_tokenizer(tmp_path / "bpe.txt.gz")
    for text in pictures.captions[:50]:
        words = text.replace("-", " - ").split()
        assert len(tokens.encode(text)) == len(words)
        assert tokens.decode(tokens.encode(text)).split() == words
    assert tokens.decode(tokens.encode("zebra")).strip() == "zebra"
    first = (tmp_path / "bpe.txt.gz").read_bytes()
    clip.write_merges(clip.learn_merges(pictures.captions, limit=1000), tmp_path / "bpe.txt.gz")
    assert (tmp_path / "bpe.txt.gz").read_bytes() == first


def test_merges_by_hand():
    assert clip.learn_merges(["ab ab abc"], limit=2) == [("a", "b</w>"), ("a", "b")]


def test_rate_rises_to_the_peak_and_falls_to_a_hundredth():
    settings = {"steps": 100, "peak": 2.0, "warmup_steps": 10}
    assert training.compute_rate(0, **settings) == pytest.approx(0.2)
    assert training.compute_rate(10, **settings) == pytest.approx(2.0)
    assert training.compute_rate(55, **settings) == pytest.approx(2 * (0.01 + 0.99 / 2))
    assert training.compute_rate(100, **settings) == pytest.approx(0.02)


def test_average_has_a_short_memory_at_first():
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 1.0)
    shadow = {"weight": torch.zeros(1, 1)}
    training.average(model, shadow, 0, decay=0.99)
    assert shadow["weight"].item() == pytest.approx(0.9)  # 1 - 1 / 10
    training.average(model, shadow, 10**6, decay=0.99)
    assert shadow["weight"].item() == pytest.approx(0.9 * 0.99 + 0.01)


def test_run_learns_keeps_and_reports(capsys):
    torch.manual_seed(0)
    model, x = nn.Linear(4, 1), torch.randn(64, 4)
    kept = []
    training.run(
        model,
        lambda step: (model(x) - x.sum(1, keepdim=True)).square().mean(),
        steps=300,
        learning_rate=0.05,
        warmup_steps=5,
        ema_decay=0.9,
        keep=kept.append,
        keep_every=100,
    )
    assert (model.weight - 1).abs().max() < 0.05 and not model.training
    assert kept == [100, 200]
    *_, last = capsys.readouterr().out.splitlines()
    assert last.startswith("300 of 300 steps  ") and "loss 0." in last


class Stopped(Exception):
    """The process was killed."""


class Tied(nn.Linear):
    """A layer whose weight has two names, as the embedding of a language model and its head."""

    def __init__(self):
        super().__init__(4, 1)
        self.again = self.weight


def test_run_goes_on_from_its_checkpoint_with_the_same_weights(tmp_path, monkeypatch):
    monkeypatch.setattr("mvc.core.checkpoint.SAVE_SECONDS", -1)
    monkeypatch.setattr("mvc.core.checkpoint.SAVE_SHARE", 1e9)

    taken = []

    def train(path, *, killed_at=None):
        torch.manual_seed(0)
        model, draws = Tied(), torch.Generator().manual_seed(1)
        taken.clear()

        def loss_of(step):
            taken.append(step)
            if step == killed_at:
                raise Stopped
            x = torch.randn(8, 4, generator=draws)
            return (model(x) - x.sum(1, keepdim=True)).square().mean()

        settings = {"steps": 20, "learning_rate": 0.05, "warmup_steps": 5, "ema_decay": 0.9}
        with Checkpoint(path, draws) as checkpoint:
            training.run(model, loss_of, **settings, checkpoint=checkpoint)
        return model.state_dict()

    whole = train(tmp_path / "whole.safetensors")
    with pytest.raises(Stopped):
        train(tmp_path / "cut.safetensors", killed_at=13)
    resumed = train(tmp_path / "cut.safetensors")
    assert taken == list(range(13, 20))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_run_stops_at_a_loss_that_is_no_number():
    model = nn.Linear(1, 1)
    with pytest.raises(FloatingPointError, match="step 0"):
        settings = {"steps": 2, "learning_rate": 0.1, "warmup_steps": 1, "ema_decay": 0.9}
        training.run(model, lambda step: model.weight.sum() * math.nan, **settings)


def test_psnr_by_hand():
    black = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    grey = torch.full_like(black, 51)  # a fifth of the range: -10 log10(1 / 25)
    assert vae.compute_psnr(black, grey) == pytest.approx(10 * math.log10(25), abs=1e-3)


def test_draw_weights_give_plain_its_share():
    styles = np.array([0, 0, 0, 1, 2])
    weights = vae.draw_weights(styles, plain=0.4)
    assert weights[4] == pytest.approx(0.4) and weights[:4] == pytest.approx([0.15] * 4)


def test_vae_learns_and_its_scaled_latents_have_unit_deviation(pictures):
    torch.manual_seed(0)
    model = vae.create(widths=[8, 8, 8], layers=1, latent_channels=4, size=32).eval()
    before = vae.measure_quality(model, pictures)["plain"]
    vae.train(
        model,
        pictures.images,
        vae.draw_weights(pictures.styles, plain=0.4),
        batch_size=8,
        kl=1e-3,
        generator=torch.Generator().manual_seed(0),
        steps=40,
        learning_rate=5e-3,
        warmup_steps=5,
        ema_decay=0.9,
    )
    factor = vae.calibrate(model, pictures.images)
    assert model.config.scaling_factor == factor
    assert float((vae.encode_latents(model, pictures.images) * factor).std()) == pytest.approx(
        1, abs=1e-4
    )
    assert vae.measure_quality(model, pictures)["plain"] > before + 2


@pytest.fixture(scope="module")
def tiny_clip(pictures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    clip.write_merges(clip.learn_merges(pictures.captions, limit=1000), folder / "bpe.txt.gz")
    tokens = clip.build_tokenizer(folder / "bpe.txt.gz")
    config = clip.make_configuration(
        joint=8,
        size=32,
        vision={"layers": 1, "width": 16, "head_width": 8, "patch_size": 8, "mlp_ratio": 2.0},
        text={"layers": 1, "width": 16, "heads": 2, "mlp_ratio": 2.0},
        vocabulary=tokens.vocab_size,
    )
    torch.manual_seed(0)
    return clip.create(config).eval(), config, tokens, folder


def test_pooled_text_equals_open_clips_own(tiny_clip):
    model, _, tokens, _ = tiny_clip
    ids, _ = tokenize(tokens, ["a red shirt", "a very long sneaker on a striped background", ""])
    with torch.no_grad():
        expected = model.encode_text(ids, normalize=True)
        assert torch.allclose(clip.pool_captions(model, ids), expected, atol=1e-5)


def test_clip_learns_and_opens_as_any_other(tiny_clip, pictures):
    from mvc.miniature.saving import save_clip
    from mvc.models.clip import compute_text_states, load_clip

    model, config, tokens, folder = tiny_clip
    ids = clip.encode_captions(tokens, pictures.captions)
    assert torch.equal(ids[:3], tokenize(tokens, pictures.captions[:3])[0])
    before = clip.measure_quality(model, pictures, tokens)
    settings = {"steps": 60, "learning_rate": 3e-3, "warmup_steps": 5, "ema_decay": 0.5}
    pools = clip.make_pools(pictures.styles, plain=0.4, photo=0.1)
    assert sum(chance for chance, _ in pools) == pytest.approx(1)
    clip.train(
        model,
        pictures.images,
        ids,
        pools,
        batch_size=32,
        generator=torch.Generator().manual_seed(0),
        **settings,
    )
    after = clip.measure_quality(model, pictures, tokens)
    assert after["recall_at_5"] > before["recall_at_5"] + 3  # by chance 1.25 of 400
    assert set(after) == {"recall_at_1", "recall_at_5", "zero_shot_class"}
    save_clip(model, config, folder)
    opened, _, opened_tokens = load_clip(str(folder))
    assert opened_tokens.vocab_size == tokens.vocab_size
    close = compute_text_states(opened, ids[:2]) - compute_text_states(model, ids[:2])
    assert close.abs().max() < 0.02  # half precision on disk


def test_text_is_embedded_once_and_the_empty_caption_comes_first(tiny_clip):
    from mvc.models.clip import compute_text_states

    model, _, tokens, _ = tiny_clip
    states, rows = unet.cache_text(model, tokens, ["a shirt", "a bag", "a shirt"])
    assert states.shape == (3, 77, 16) and rows[0] == rows[2] != rows[1] and 0 not in rows
    null = compute_text_states(model, tokenize(tokens, [""])[0])[0]
    assert torch.allclose(states[0].float(), null, atol=2e-3)


def test_unet_learns_noise_and_draws(tiny_clip, tmp_path):
    torch.manual_seed(0)
    shape = {"widths": [8, 16], "attention": [False, True], "heads": 2, "layers": 1}
    model = unet.create(4, 8, 16, **shape)
    latents, text = torch.zeros(16, 4, 8, 8).half(), torch.zeros(1, 77, 16).half()
    unet.train(
        model,
        latents,
        latents,
        text,
        torch.zeros(16, dtype=torch.int64),
        batch_size=8,
        dropout=0.1,
        generator=torch.Generator().manual_seed(0),
        steps=60,
        learning_rate=3e-3,
        warmup_steps=5,
        ema_decay=0.9,
    )
    noise = torch.randn(8, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        guess = model(noise, 999, text.float().expand(8, -1, -1)).sample
    assert (guess - noise).square().mean() < 0.7  # at the last step there is only noise to see
    from mvc.miniature.saving import save_pipeline

    save_pipeline(unet.build_scheduler(), unet.INDEX, tmp_path)
    decoder = vae.create(widths=[8, 8, 8], layers=1, latent_channels=4, size=32)
    options = {"steps": 2, "scale": 2.0, "generator": torch.Generator().manual_seed(0)}
    conditions = {"text": text.float().expand(3, -1, -1), "null": text[0].float()}
    drawn = unet.draw(model, decoder, tmp_path, **conditions, **options)
    assert drawn.shape == (3, 3, 32, 32) and drawn.dtype == torch.uint8
