"""Fine-tuning: the loss is the paper's, and a restart ends where an uninterrupted run does."""

import copy
import os
import resource
import signal

import pytest
import torch
from mvc.core import checkpoint
from mvc.unet import finetune
from mvc.unet.adapt import KINDS
from mvc.unet.pairs import draw_batch
from tiny_training import DRAWING, make_pool, trainer, weights


@pytest.fixture(scope="module")
def pool():
    return make_pool()


def test_loss_is_equation_4_on_equation_1(pool):
    t = trainer()
    batch = draw_batch(pool, step=0, **DRAWING)
    alpha = t.betas.alphas_cumprod[batch.timestep].reshape(-1, 1, 1, 1)
    z_t = alpha.sqrt() * batch.latents + (1 - alpha).sqrt() * batch.noise
    net = copy.deepcopy(t.unet)
    estimate = net(
        torch.cat([z_t, batch.image], 1), batch.timestep, encoder_hidden_states=batch.text
    ).sample
    expected = ((batch.noise - estimate) ** 2).mean()
    assert t.update(batch)[0] == pytest.approx(expected.item(), rel=1e-5)


def test_loss_of_v_prediction_is_against_diffusers_velocity(pool):
    """As diffusers' own training scripts have it, for Stable Diffusion 2.x at 768 px."""
    t = trainer()
    t.betas.register_to_config(prediction_type="v_prediction")
    batch = draw_batch(pool, step=0, **DRAWING)
    z_t = t.betas.add_noise(batch.latents, batch.noise, batch.timestep)
    velocity = t.betas.get_velocity(batch.latents, batch.noise, batch.timestep)
    net = copy.deepcopy(t.unet)
    estimate = net(
        torch.cat([z_t, batch.image], 1), batch.timestep, encoder_hidden_states=batch.text
    ).sample
    expected = torch.nn.functional.mse_loss(estimate, velocity)
    assert t.update(batch)[0] == pytest.approx(expected.item(), rel=1e-5)
    assert expected.item() != pytest.approx(((estimate - batch.noise) ** 2).mean().item(), rel=0.01)


@pytest.mark.parametrize("train", KINDS)
def test_every_marked_weight_is_trained(pool, tmp_path, train):
    t = trainer(steps=3, train=train)
    before = [p.detach().clone() for p in t.parameters]
    t.train(pool, tmp_path / "state", lambda step, loss: None, **DRAWING)
    assert all(not torch.equal(a, b) for a, b in zip(before, t.parameters, strict=True))


def signalled(pool, state, number, *, at=5):
    """A trainer to which a signal came in an update, and what it said as it ended."""
    t = trainer()

    def show(step, loss):
        if step == at:
            os.kill(os.getpid(), number)

    with pytest.raises(SystemExit) as end:
        t.train(pool, state, show, **DRAWING)
    return t, str(end.value)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_resume_ends_with_the_same_weights_bit_for_bit(
    pool, tmp_path, capsys, number
):
    """Peers repeat the same noise and dropout after a restart."""
    whole = trainer()
    losses = whole.train(pool, tmp_path / "none", lambda step, loss: None, **DRAWING)

    handler = signal.getsignal(number)
    _, said = signalled(pool, tmp_path / "state", number)
    line = f"stopped by {number.name} at step 6 of 8; the checkpoint is saved, run again to resume"
    assert said == line and line in capsys.readouterr().out
    assert signal.getsignal(number) is handler

    second = trainer()
    torch.nn.init.zeros_(second.parameters[0])  # whatever it starts from is overwritten
    seen = []
    second.load_checkpoint(tmp_path / "state")
    again = second.train(pool, tmp_path / "state", lambda step, loss: seen.append(step), **DRAWING)
    assert seen == [7, 8] and "training resumes at step 6" in capsys.readouterr().out
    assert torch.equal(again, losses) and not losses.isnan().any()
    assert torch.equal(weights(second), weights(whole))
    for a, b in zip(second.ema.shadow_params, whole.ema.shadow_params, strict=True):
        assert torch.equal(a, b)


@pytest.fixture
def full_disk():
    """No file may grow over some bytes while the fixture's function is called."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def called(function, *arguments, **named):
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
        try:
            return function(*arguments, **named)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return called


def test_a_full_disk_ends_no_training(pool, tmp_path, capsys, monkeypatch, full_disk):
    monkeypatch.setattr("mvc.core.checkpoint.SAVE_SECONDS", 0)
    monkeypatch.setattr("mvc.core.checkpoint.SAVE_SHARE", 1e9)
    t, state = trainer(), tmp_path / "state"
    losses = full_disk(t.train, pool, state, lambda step, loss: None, **DRAWING)
    assert t.step == 8 and not losses.isnan().any()
    said = capsys.readouterr().out
    assert said.count("the checkpoint could not be saved: ") == 8 and "step 8: " in said
    assert not list(tmp_path.iterdir()), "nothing half-written is left"


def test_a_stop_on_a_full_disk_says_that_nothing_was_saved(pool, tmp_path, capsys, full_disk):
    _, said = full_disk(signalled, pool, tmp_path / "state", signal.SIGTERM, at=3)
    assert said.endswith("at step 4 of 8; run again to resume from the last checkpoint")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("left", [0, 5, 1000, -1])
def test_load_checkpoint_sets_a_damaged_one_aside(pool, tmp_path, capsys, left):
    state = tmp_path / ".weights.checkpoint-abc.safetensors"
    signalled(pool, state, signal.SIGTERM)
    whole = state.read_bytes()
    state.write_bytes(whole[:left])
    t = trainer()
    t.load_checkpoint(state)
    assert t.step == 0 and not state.exists()
    said = capsys.readouterr().out
    assert "the checkpoint is damaged" in said and ".weights.checkpoint-abc.damaged" in said
    assert [p.name for p in tmp_path.iterdir()] == [".weights.checkpoint-abc.damaged"]
    checkpoint.remove_checkpoints(tmp_path / "weights")
    assert not list(tmp_path.iterdir())


def test_finish_gives_the_moving_average(pool, tmp_path):
    t = trainer(steps=4)
    t.train(pool, tmp_path / "state", lambda step, loss: None, **DRAWING)
    raw, average = weights(t), torch.cat([p.flatten() for p in t.ema.shadow_params])
    net = t.finish()
    assert torch.equal(torch.cat([p.flatten() for p in net.parameters()]), average)
    assert not torch.equal(raw, average)


def test_a_loss_that_is_not_a_number_stops_training(pool, tmp_path):
    t = trainer()
    with torch.no_grad():
        t.parameters[0].fill_(torch.nan)
    with pytest.raises(ValueError, match="the loss is nan at step 1; lower unet.learning_rate"):
        t.train(pool, tmp_path / "state", lambda step, loss: None, **DRAWING)


def test_a_divergence_in_the_last_update_leaves_no_weights(pool, tmp_path):
    """No later loss would show it."""
    t = trainer()
    t.train(pool, tmp_path / "c", lambda step, loss: None, **DRAWING)
    with torch.no_grad():
        t.ema.shadow_params[0].view(-1)[0] = torch.nan
    with pytest.raises(ValueError, match="unet, after its last step: .*lower unet.learning_rate"):
        t.finish()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_written_unet_opens_in_diffusers(pool, tmp_path, layout):
    """Whatever the layout in memory, which is another one on a GPU."""
    from diffusers import UNet2DConditionModel

    net = trainer().finish().to(memory_format=layout)
    folder = tmp_path / "unet"
    folder.mkdir()
    name = "diffusion_pytorch_model.safetensors"
    finetune.write_unet(net, weights=folder / name, config=folder / "config.json")
    back = UNet2DConditionModel.from_pretrained(folder)
    assert sorted(p.name for p in folder.iterdir()) == ["config.json", name]
    for a, b in zip(back.parameters(), net.parameters(), strict=True):
        assert torch.equal(a, b)


def test_state_is_named_by_all_that_it_depends_on(tmp_path):
    weights, read = tmp_path / "unet/weights", tmp_path / "input"
    read.write_text("a")
    first = checkpoint.name_checkpoint(weights, {"cfg": {"steps": 1}}, [str(read)])
    assert first == checkpoint.name_checkpoint(weights, {"cfg": {"steps": 1}}, [str(read)])
    assert first != checkpoint.name_checkpoint(weights, {"cfg": {"steps": 2}}, [str(read)])
    read.write_text("b")
    assert first != checkpoint.name_checkpoint(weights, {"cfg": {"steps": 1}}, [str(read)])
    first.parent.mkdir()
    first.write_text("state")
    (first.parent / f".{first.name}.1.part").mkdir()  # as a job leaves it that was killed
    checkpoint.remove_checkpoints(weights)
    assert not list(first.parent.iterdir())
