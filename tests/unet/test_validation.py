"""The validation loss changes no training, and an early stop keeps the weights of the lowest."""

import copy
import os
import signal

import numpy as np
import pytest
import tiny
import torch
import tuning
from mvc.core import image_tables
from mvc.core.pixels import encode
from mvc.unet import validation
from mvc.unet.finetune import make_validation, write_losses
from mvc.unet.memory import Memory
from mvc.unet.validation import Validation, choose_spread, compute_validation_loss, draw_pairs
from safetensors import safe_open
from tiny_training import DRAWING, make_pool, trainer, weights

LABELS = [1, 0, 1, 0, 0, 1, 0, 0]
STEPS = 8


@pytest.fixture(scope="module")
def pool():
    return make_pool()


@pytest.fixture(scope="module")
def vae():
    return tiny.vae()


@pytest.fixture(scope="module")
def table():
    rng = torch.Generator().manual_seed(4)
    pixels = torch.randint(0, 256, (len(LABELS), 3, 32, 32), generator=rng, dtype=torch.uint8)
    return image_tables.build_table(
        data=encode(pixels, grayscale=False),
        labels=LABELS,
        class_names=[f"class {label}" for label in LABELS],
        image_ids=[f"validation/{i}" for i in range(len(LABELS))],
    )


def draw(table, pool, vae, **changes):
    options = dict(pairs=5, pairing="class", size=32, timesteps=1000, seed=3)
    return draw_pairs(table, pool, vae, **options | changes)


@pytest.fixture(scope="module")
def pairs(table, pool, vae):
    return draw(table, pool, vae)


def validated(pairs, *, steps=STEPS, every=2, patience=None, **changes):
    t = trainer(steps=steps, **changes)
    t.validation = Validation(pairs, every=every, steps=steps, at_once=4, patience=patience)
    return t


def train(t, pool, folder, show=lambda step, loss: None):
    return t.train(pool, folder / "state", show, **DRAWING)


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_measuring_changes_no_digit_of_the_training(pool, pairs, tmp_path, kind):
    plain, watched = trainer(train=kind), validated(pairs, every=1, train=kind)
    before = torch.get_rng_state()
    losses = train(plain, pool, tmp_path)
    assert torch.equal(train(watched, pool, tmp_path), losses)
    assert torch.equal(weights(watched), weights(plain))
    assert torch.equal(weights_of(watched.finish()), weights_of(plain.finish()))
    assert torch.equal(torch.get_rng_state(), before)


def weights_of(unet):
    return torch.cat([weight.flatten() for weight in unet.parameters()])


def test_the_loss_is_equation_4_by_the_averaged_weights(pool, pairs, tmp_path, capsys):
    t = validated(pairs, every=3)
    train(t, pool, tmp_path)
    measured = t.validation.losses
    assert (~measured.isnan()).nonzero().flatten().tolist() == [2, 5, 7], "the last step, too"
    assert f"step 8: validation loss {measured[7]:.4f}" in capsys.readouterr().out
    net = copy.deepcopy(t).finish()
    noisy = t.betas.add_noise(pairs.latents, pairs.noise, pairs.timestep)
    inputs = torch.cat([noisy, pairs.image], dim=1)
    estimate = net(inputs, pairs.timestep, encoder_hidden_states=pairs.text).sample
    expected = ((estimate - pairs.noise) ** 2).mean()
    assert measured[7].item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("size", [1, 2, 9])
def test_micro_batches_measure_the_same(pairs, size):
    whole, parts = trainer(), trainer(memory=Memory(micro_batch=size))
    expected = compute_validation_loss(whole, pairs, at_once=32)
    assert compute_validation_loss(parts, pairs, at_once=32) == pytest.approx(expected, rel=1e-5)


def test_draw_pairs_takes_another_image_of_the_class_and_a_text_of_it(table, pool, vae):
    drawn = draw(table, pool, vae, pairs=100)
    every = draw(table, pool, vae, pairs=100, pairing="own").image  # x itself, sorted by label
    labels = torch.tensor(sorted(LABELS))
    assert len(drawn) == len(LABELS) and len(every.flatten(1).unique(dim=0)) == len(LABELS)
    for label, image, own, text in zip(labels, drawn.image, every, drawn.text, strict=True):
        same = [torch.equal(image, other) for other in every[labels == label]]
        assert sum(same) == 1 and not torch.equal(image, own)
        assert any(torch.equal(text, token) for token in pool.tokens[pool.labels == label])
    assert sorted(drawn.timestep.tolist()) == [62, 187, 312, 437, 562, 687, 812, 937]


def test_draw_pairs_draws_the_same_each_time(table, pool, vae, pairs):
    again = draw(table, pool, vae)
    for field in ("latents", "image", "text", "noise", "timestep"):
        assert torch.equal(getattr(pairs, field), getattr(again, field))
    assert not torch.equal(draw(table, pool, vae, seed=4).noise, pairs.noise)


@pytest.mark.parametrize(
    "most, chosen", [(1, [0]), (3, [0, 3, 6]), (9, list(range(9))), (50, None)]
)
def test_choose_spread_takes_rows_evenly(most, chosen):
    rows = torch.arange(9)
    assert choose_spread(rows, most).tolist() == (chosen or rows.tolist())


def falling_until(best, monkeypatch):
    """Let the validation loss fall up to a step, and be equal to that from then on."""

    def compute(t, pairs, at_once):
        return 1 / min(t.step, best)

    monkeypatch.setattr(validation, "compute_validation_loss", compute)


@pytest.mark.parametrize(
    "best, patience, last", [(2, 1, 4), (2, 2, 6), (4, 1, 6), (2, 3, 8), (8, 1, 8), (6, 2, 8)]
)
def test_an_early_stop_keeps_the_averaged_weights_of_the_lowest_loss(
    pool, pairs, tmp_path, monkeypatch, capsys, best, patience, last
):
    falling_until(best, monkeypatch)
    t = validated(pairs, patience=patience)
    seen = {}

    def show(step, loss):
        seen[step] = torch.cat([weight.flatten() for weight in t.ema.shadow_params])

    losses = train(t, pool, tmp_path, show)
    assert list(seen) == list(range(1, last + 1)) and len(losses) == last
    net = t.finish()
    assert torch.equal(weights_of(net), seen[best])
    said = capsys.readouterr().out
    assert f"lowest at step {best}" in said and f"step {best} are kept (unet.early_stop)" in said
    assert net.config.early_stop == {"step": best, "validation_loss": pytest.approx(1 / best)}


@pytest.mark.parametrize("at", [3, 4, 5, 6])
def test_an_early_stop_is_the_same_after_a_restart(pool, pairs, tmp_path, monkeypatch, at):
    """Even where the signal comes at the step of a measurement, or at the last one."""
    falling_until(4, monkeypatch)
    whole = validated(pairs, patience=1)
    losses = train(whole, pool, tmp_path)
    first = validated(pairs, patience=1)

    def show(step, loss):
        if step == at - 1:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit):
        train(first, pool, tmp_path, show)
    second = validated(pairs, patience=1)
    second.load_checkpoint(tmp_path / "state")
    assert second.step == at
    assert torch.equal(train(second, pool, tmp_path), losses) and second.step == 6
    assert torch.equal(second.validation.losses.nan_to_num(), whole.validation.losses.nan_to_num())
    assert torch.equal(weights_of(second.finish()), weights_of(whole.finish()))


def test_a_checkpoint_without_a_validation_loss_is_resumed_with_one(pool, pairs, tmp_path):
    plain = trainer()
    plain.steps = 4
    train(plain, pool, tmp_path)
    plain.save_checkpoint(tmp_path / "state")
    t = validated(pairs)
    t.load_checkpoint(tmp_path / "state")
    train(t, pool, tmp_path)
    assert (~t.validation.losses.isnan()).nonzero().flatten().tolist() == [5, 7]


def test_no_best_weights_are_kept_without_an_early_stop(pool, pairs, tmp_path):
    t = validated(pairs)
    train(t, pool, tmp_path)
    t.save_checkpoint(tmp_path / "state")
    with safe_open(tmp_path / "state", "pt") as file:
        assert "validation" in file.keys() and "best.0" not in file.keys()
    assert "early_stop" not in t.finish().config


def test_a_validation_loss_that_is_not_finite_stops_the_training(
    pool, pairs, tmp_path, monkeypatch
):
    monkeypatch.setattr(validation, "compute_validation_loss", lambda *_, at_once: float("nan"))
    with pytest.raises(ValueError, match="validation loss is nan at step 2; lower unet.learning"):
        train(validated(pairs), pool, tmp_path)


def test_make_validation_refuses_a_data_set_without_validation_images(table, pool, vae, tmp_path):
    image_tables.write(table.slice(0, 0), tmp_path / "validation.parquet")
    arguments = str(tmp_path / "validation.parquet"), pool, vae, tuning.CFG
    with pytest.raises(ValueError, match="unet.validation.every = 2: there is no validation image"):
        make_validation(*arguments, {"every": 2, "pairs": 4})
    assert make_validation(*arguments, {"every": None, "pairs": 4}) is None


def test_write_losses_has_a_column_of_what_was_measured(pairs, tmp_path):
    measured = Validation(pairs, every=2, steps=4, at_once=4)
    measured.losses[1] = 0.25
    write_losses(torch.tensor([0.5, 0.4, 0.3]), tmp_path / "loss.csv", measured)
    text = "step,loss,validation_loss\n1,0.5,\n2,0.4,0.25\n3,0.3,\n"
    assert (tmp_path / "loss.csv").read_text() == text
    write_losses(torch.tensor([0.5]), tmp_path / "loss.csv")
    assert (tmp_path / "loss.csv").read_text() == "step,loss\n1,0.5\n"


@pytest.mark.slow
def test_processes_stop_at_the_same_step_with_the_same_weights(tmp_path):
    """Run as Snakemake runs it, by one process and by two that share the pairs."""
    tuning.inputs(tmp_path)
    watch = {"validation": {"every": 1, "pairs": 5}}
    settings = dict(steps=20, warmup_steps=0, learning_rate=0.2, ema_decay=0.0)
    settings |= dict(schedule="constant_with_warmup", early_stop={"patience": 2})
    measured = []
    for count in (1, 2):
        out = tmp_path / f"by-{count}"
        status, said = tuning.ended(tuning.start(tmp_path, out, count, watch=watch, **settings))
        assert status == 0, said
        measured.append((out / tuning.OUTPUTS["losses"]).read_text().splitlines())
        assert "are kept (unet.early_stop)" in tuning.log(out)
        assert '"early_stop"' in (out / tuning.OUTPUTS["config"]).read_text()
    assert len(measured[0]) == len(measured[1]) < 20
    one, two = (np.genfromtxt(lines[1:], delimiter=",") for lines in measured)
    np.testing.assert_allclose(one, two, rtol=1e-3)
