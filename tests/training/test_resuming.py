"""A training that is killed or stopped goes on as if it had not been: bit for bit on a CPU."""

import os
import signal
from itertools import count

import pytest
import torch
from mvc.core import checkpoint
from mvc.training import loop, strategies
from mvc.training.fit import fit
from mvc.training.resuming import Checkpoint
from toy import CPU, hyperparameters, toy

STEPS = 20
PHASE2 = {"share": 0.3, "learning_rate_scale": 0.1}  # the last 6 steps


def train(path, model="wrn-10-1", **changes):
    """Train on real and extra images; all the tensors of the network, and the steps taken."""
    settings = {"strategy": "two_phase", "phase2": PHASE2, "steps": STEPS, **changes}
    fitted = fit(
        toy(),
        toy(18, seed=5),
        model=model,
        root=0,
        seed=1,
        device=CPU,
        hyperparameters=hyperparameters(**settings),
        checkpoint=path,
    )
    return fitted.net.state_dict(), fitted.steps


@pytest.fixture
def interrupt(monkeypatch):
    """Blocks of two batches, a checkpoint after each; calls a function before a step."""
    monkeypatch.setattr(loop, "BLOCK", 2 * 8 * 8 * 8)
    monkeypatch.setattr(checkpoint, "SAVE_SECONDS", -1)
    monkeypatch.setattr(checkpoint, "SAVE_SHARE", 1e9)
    compute = loop.compute_loss

    def at(step, function):
        steps = count(1)

        def compute_loss(*arguments):
            if next(steps) == step:
                function()
            return compute(*arguments)

        monkeypatch.setattr(loop, "compute_loss", compute_loss)

    yield at


def fail():
    raise MemoryError("killed")


def ask():
    os.kill(os.getpid(), signal.SIGTERM)


CASES = [
    {"strategy": "two_phase", "cutout": 4},
    {"strategy": "two_phase", "optimizer": "adam", "augmentation": "aa"},
    {"strategy": "rsp", "rsp": {"p": 0.5, "mode": "append"}, "augmentation": "ra"},
    {"strategy": "combined", "model": "test_resnet", "optimizer": "adam", "flip": False},
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["strategy"])
@pytest.mark.parametrize("stops", [(1,), (6,), (15,), (4, 5, 12), (STEPS,)])
def test_fit_goes_on_where_it_was_killed_bit_for_bit(tmp_path, interrupt, case, stops):
    """Within a phase, before its first checkpoint, at its end, several times, in the last block."""
    case = {"ra": {"n": 1, "m": 5}, **case}
    path, done = tmp_path / "state", 0
    whole, steps = train(None, **case)
    for step in stops:
        interrupt(step - done, fail)
        with pytest.raises(MemoryError):
            train(path, **case)
        done = (step - 1) // 2 * 2
    interrupt(0, fail)
    again, resumed = train(path, **case)
    assert steps == resumed == STEPS
    assert whole.keys() == again.keys()
    assert all(torch.equal(whole[name], again[name]) for name in whole)


def test_phases_of_odd_lengths_end_blocks(tmp_path, interrupt):
    """A block does not reach into the next phase, which starts with a new optimizer."""
    odd = {"phase2": {"share": 0.25, "learning_rate_scale": 0.1}}  # 15 steps, then 5
    whole, _ = train(None, **odd)
    for stop in (16, 2):
        interrupt(stop, fail)
        with pytest.raises(MemoryError):
            train(tmp_path / "state", **odd)
    interrupt(0, fail)
    again, _ = train(tmp_path / "state", **odd)
    assert all(torch.equal(whole[name], again[name]) for name in whole)


def test_a_signal_saves_and_says_how_to_go_on(tmp_path, interrupt, capsys):
    whole, _ = train(None)
    interrupt(5, ask)
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as end:
        train(tmp_path / "state")
    line = "stopped by SIGTERM at step 6; the checkpoint is saved, run again to resume"
    assert str(end.value) == line and line in capsys.readouterr().out
    assert signal.getsignal(signal.SIGTERM) is handler
    interrupt(0, fail)
    again, _ = train(tmp_path / "state")
    said = capsys.readouterr().out
    assert "training resumes at step 6" in said and "20 of 20 steps" in said
    assert all(torch.equal(whole[name], again[name]) for name in whole)


def test_a_short_training_writes_nothing(tmp_path, interrupt, monkeypatch):
    monkeypatch.setattr(checkpoint, "SAVE_SECONDS", 120)
    train(tmp_path / "state")
    interrupt(5, ask)
    with pytest.raises(SystemExit, match="stopped by SIGTERM at step 6; run again"):
        train(tmp_path / "state")
    assert not list(tmp_path.iterdir())


def test_a_damaged_checkpoint_is_set_aside(tmp_path, interrupt, capsys):
    path = tmp_path / ".0.json.checkpoint-abc.safetensors"
    path.write_bytes(b"damaged")
    whole, _ = train(None)
    again, _ = train(path)
    assert "the checkpoint is damaged" in capsys.readouterr().out
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    assert {file.suffix for file in tmp_path.iterdir()} == {".safetensors", ".damaged"}
    checkpoint.remove_checkpoints(tmp_path / "0.json")
    assert not list(tmp_path.iterdir())


def test_checkpoints_of_one_output_are_removed(tmp_path):
    names = [".0.json.checkpoint-a.safetensors", ".10.json.checkpoint-a.safetensors", "0.json"]
    for name in names:
        (tmp_path / name).touch()
    checkpoint.remove_checkpoints(tmp_path / "0.json")
    assert {file.name for file in tmp_path.iterdir()} == set(names[1:])


def test_the_scale_of_gradients_is_kept(tmp_path, monkeypatch):
    """float16 on older cards: the scale, and the steps since its last change."""
    monkeypatch.setattr(checkpoint, "SAVE_SECONDS", -1)
    net, scaler = torch.nn.Linear(2, 2), torch.amp.GradScaler("cpu", growth_interval=5)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    kept = Checkpoint(tmp_path / "state", torch.Generator())
    for _ in range(8):
        scaler.scale(net(torch.ones(1, 2)).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
    kept.keep(8, net, optimizer, scaler)
    fresh = torch.amp.GradScaler("cpu", growth_interval=5)
    assert Checkpoint(tmp_path / "state", torch.Generator()).load(net, fresh) == 8
    assert fresh.state_dict() == scaler.state_dict() != torch.amp.GradScaler("cpu").state_dict()
    assert scaler.get_scale() == 2**17


def test_every_strategy_is_resumed():
    assert {case["strategy"] for case in CASES} == set(strategies.STRATEGIES)
