"""Fine-tuning: the loss is the paper's, and a restart ends where an uninterrupted run does."""

import copy

import pytest
import tiny
import torch
from accelerate import Accelerator
from mvc import finetune, unet
from mvc.diffusion import widen
from mvc.pairs import Pool, draw
from mvc.recipes import unmixed

CFG = dict(
    learning_rate=1e-3, schedule="cosine", warmup=2, weight_decay=0.01, clip_norm=1.0, ema=0.9
)
DRAWING = dict(
    batch_size=4, pairing="class", text="bank", scaling_factor=0.5, timesteps=1000, seed=3
)
DRAWING["dropout"] = {"text": 0.2, "image": 0.2, "both": 0.2}


@pytest.fixture(scope="module")
def pool():
    rng = torch.Generator().manual_seed(0)
    mean = torch.randn(6, 2, tiny.LATENT, 8, 8, generator=rng)
    return Pool(
        mean=mean,
        std=torch.full_like(mean, 0.1),
        labels=torch.tensor([0, 0, 0, 1, 1, 1]),
        tokens=torch.randn(6, 5, tiny.TEXT, generator=rng),
        null=torch.randn(5, tiny.TEXT, generator=rng),
        recipes=unmixed(range(6)),
        recipe_labels=torch.tensor([0, 0, 0, 1, 1, 1]),
    )


def trainer(steps=8):
    net = widen(tiny.unet(), tiny.LATENT)
    return unet.Trainer(
        net, steps=steps, betas=tiny.scheduler(), accelerator=Accelerator(cpu=True), **CFG
    )


def weights(t):
    return torch.cat([p.detach().flatten() for p in t.parameters])


def test_loss_is_equation_4_on_equation_1(pool):
    t = trainer()
    batch = draw(pool, step=0, **DRAWING)
    alpha = t.betas.alphas_cumprod[batch.timestep].reshape(-1, 1, 1, 1)
    z_t = alpha.sqrt() * batch.latents + (1 - alpha).sqrt() * batch.noise
    net = copy.deepcopy(t.unet)
    estimate = net(
        torch.cat([z_t, batch.image], 1), batch.timestep, encoder_hidden_states=batch.text
    ).sample
    expected = ((batch.noise - estimate) ** 2).mean()
    assert t.update(batch) == pytest.approx(expected.item(), rel=1e-5)


def test_every_weight_is_trained(pool, tmp_path):
    t = trainer(steps=3)
    before = [p.detach().clone() for p in t.parameters]
    t.run(pool, tmp_path / "state", lambda step, loss: None, **DRAWING)
    assert all(not torch.equal(a, b) for a, b in zip(before, t.parameters, strict=True))


def test_resume_ends_with_the_same_weights_bit_for_bit(pool, tmp_path):
    """Peers repeat the same noise and dropout after a restart."""
    whole = trainer()
    losses = whole.run(pool, tmp_path / "none", lambda step, loss: None, **DRAWING)

    class Stop(Exception):
        pass

    def stop(step, loss):
        if step == 5:
            raise Stop

    first = trainer()
    with pytest.raises(Stop):
        first.run(pool, tmp_path / "none", stop, **DRAWING)
    first.save(tmp_path / "state")
    second = trainer()
    torch.nn.init.zeros_(second.parameters[0])  # whatever it starts from is overwritten
    seen = []
    again = second.run(pool, tmp_path / "state", lambda step, loss: seen.append(step), **DRAWING)
    assert seen == [6, 7, 8]
    assert torch.equal(again, losses) and not losses.isnan().any()
    assert torch.equal(weights(second), weights(whole))
    for a, b in zip(second.ema.shadow_params, whole.ema.shadow_params, strict=True):
        assert torch.equal(a, b)


def test_finish_gives_the_moving_average(pool, tmp_path):
    t = trainer(steps=4)
    t.run(pool, tmp_path / "state", lambda step, loss: None, **DRAWING)
    raw, average = weights(t), torch.cat([p.flatten() for p in t.ema.shadow_params])
    net = t.finish()
    assert torch.equal(torch.cat([p.flatten() for p in net.parameters()]), average)
    assert not torch.equal(raw, average)


def test_a_loss_that_is_not_a_number_stops_training(pool, tmp_path):
    t = trainer()
    with torch.no_grad():
        t.parameters[0].fill_(torch.nan)
    with pytest.raises(ValueError, match="not a number at step 1; lower unet.learning_rate"):
        t.run(pool, tmp_path / "state", lambda step, loss: None, **DRAWING)


def test_written_unet_opens_in_diffusers(pool, tmp_path):
    from diffusers import UNet2DConditionModel

    net = trainer().finish()
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
    first = finetune.state_file(weights, {"cfg": {"steps": 1}}, [str(read)])
    assert first == finetune.state_file(weights, {"cfg": {"steps": 1}}, [str(read)])
    assert first != finetune.state_file(weights, {"cfg": {"steps": 2}}, [str(read)])
    read.write_text("b")
    assert first != finetune.state_file(weights, {"cfg": {"steps": 1}}, [str(read)])
    first.parent.mkdir()
    first.write_text("state")
    finetune.forget_states(weights)
    assert not first.exists()
