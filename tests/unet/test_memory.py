"""Fine-tuning in less memory gives the same result, and what cannot fit says what to change."""

import copy

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from diffusers.training_utils import EMAModel
from mvc.unet import average, memory, optimizers
from mvc.unet.memory import Memory
from tiny_training import DRAWING, make_pool, trainer, weights

# Gradients are summed in another order.
LOSS, WEIGHTS = dict(rtol=2e-5, atol=1e-6), dict(rtol=0, atol=1e-4)
OUT_OF_MEMORY = torch.OutOfMemoryError("CUDA out of memory.")


@pytest.fixture(scope="module")
def pool():
    return make_pool()


def train(t, pool, folder):
    losses = t.train(pool, folder / "state", lambda step, loss: None, **DRAWING)
    return losses, weights(t)


@pytest.fixture(scope="module")
def whole(pool, tmp_path_factory):
    """Losses and weights by one micro-batch of the four pairs."""
    return train(trainer(), pool, tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 9])
def test_micro_batches_train_as_the_whole_batch(pool, tmp_path, whole, size):
    losses, trained = train(trainer(memory=Memory(micro_batch=size)), pool, tmp_path)
    torch.testing.assert_close(losses, whole[0], **LOSS)
    torch.testing.assert_close(trained, whole[1], **WEIGHTS)
    if size >= 4:
        assert torch.equal(losses, whole[0]) and torch.equal(trained, whole[1])


def test_checkpointing_changes_no_digit(pool, tmp_path, whole):
    losses, trained = train(trainer(memory=Memory(checkpointing=True)), pool, tmp_path)
    assert torch.equal(losses, whole[0]) and torch.equal(trained, whole[1])


def run_out(t, monkeypatch, *, most, from_step=0, calls=None):
    """Let a trainer run out of memory with more than `most` pairs, after half of the work."""
    compute = t.compute_gradients

    def limited(batch, share):
        loss = compute(batch, share=share)
        if calls is not None:
            calls.append((t.step, len(batch)))
        if t.step >= from_step and len(batch) > most:
            raise OUT_OF_MEMORY
        return loss

    monkeypatch.setattr(t, "compute_gradients", limited)
    return t


@pytest.mark.parametrize("from_step", [0, 5])
def test_out_of_memory_halves_and_goes_on_from_the_same_step(
    pool,
    tmp_path,
    whole,
    monkeypatch,
    capsys,
    from_step,
):
    calls = []
    t = run_out(trainer(), monkeypatch, most=1, from_step=from_step, calls=calls)
    losses, trained = train(t, pool, tmp_path)
    torch.testing.assert_close(losses, whole[0], **LOSS)
    torch.testing.assert_close(trained, whole[1], **WEIGHTS)
    sizes = [size for step, size in calls if step == from_step]
    assert sizes == [4, 2, 1, 1, 1, 1]
    assert {size for step, size in calls if step > from_step} == {1}
    said = capsys.readouterr().out
    assert "4 pairs at once exceed the GPU's memory: going on with 2" in said


def test_the_average_moves_to_main_memory_before_giving_up(
    pool, tmp_path, whole, monkeypatch, capsys
):
    t = trainer()
    compute, calls = t.compute_gradients, []

    def limited(batch, share):
        calls.append(len(batch))
        if not t.fit.average_moved:
            raise OUT_OF_MEMORY
        return compute(batch, share=share)

    monkeypatch.setattr(t, "compute_gradients", limited)
    losses, trained = train(t, pool, tmp_path)
    assert calls == [4, 2, 1, *[4] * 8]
    assert "the averaged weights move to main memory" in capsys.readouterr().out
    assert torch.equal(losses, whole[0]) and torch.equal(trained, whole[1])


def test_what_cannot_fit_names_the_keys_to_change(pool, tmp_path, monkeypatch):
    t = run_out(trainer(memory=Memory(ema_device="device")), monkeypatch, most=0)
    with pytest.raises(MemoryError) as error:
        train(t, pool, tmp_path)
    said = str(error.value)
    assert said.startswith("unet: one image pair does not fit the GPU's memory")
    for key in ("checkpointing: true", "ema_device: cpu", "optimizer: adamw8bit", "train: lora"):
        assert f"unet.{key}" in said
    assert "unet.micro_batch" not in said and "unet.resolution" in said


def test_a_micro_batch_of_the_user_s_own_is_not_halved(pool, tmp_path, monkeypatch):
    fixed = Memory(micro_batch=2, checkpointing=True, ema_device="cpu")
    t = run_out(trainer(train="lora", memory=fixed), monkeypatch, most=1)
    with pytest.raises(MemoryError, match="2 image pairs do not fit .*unet.micro_batch: auto") as e:
        train(t, pool, tmp_path)
    assert "checkpointing" not in str(e.value) and "lora" not in str(e.value)


def test_another_error_is_not_taken_for_a_lack_of_memory(pool, tmp_path, monkeypatch):
    t = trainer()

    def fail(batch, share):
        raise RuntimeError("a shape")

    monkeypatch.setattr(t, "compute_gradients", fail)
    with pytest.raises(RuntimeError, match="a shape"):
        train(t, pool, tmp_path)


def test_weights_that_do_not_fit_say_what_to_change(monkeypatch):
    def fail(*arguments, **named):
        raise OUT_OF_MEMORY

    monkeypatch.setattr(optimizers, "build_optimizer", fail)
    with pytest.raises(MemoryError, match="unet.train: lora"):
        trainer()


@pytest.mark.parametrize("place", ["auto", "device", "cpu"])
def test_the_average_is_diffusers_to_the_last_digit(place):
    torch.manual_seed(0)
    ours, theirs = ([torch.nn.Parameter(torch.randn(5, 3))] for _ in range(2))
    theirs[0].data.copy_(ours[0])
    mine = average.make_average(ours, 0.9, place=place)
    reference = EMAModel(theirs, decay=0.9, foreach=True)
    for _ in range(20):
        change = torch.randn(5, 3)
        for parameters, kept in ((ours, mine), (theirs, reference)):
            parameters[0].data.add_(change)
            kept.step(parameters)
    assert torch.equal(mine.shadow_params[0], reference.shadow_params[0])
    assert mine.optimization_step == reference.optimization_step


def test_the_average_goes_to_main_memory_where_the_device_has_no_room(monkeypatch, capsys):
    made = []

    class Full(average.Average):
        def __init__(self, parameters, decay):
            made.append(decay)
            if len(made) == 1:
                raise OUT_OF_MEMORY
            super().__init__(parameters, decay=decay)

    monkeypatch.setattr(average, "Average", Full)
    parameters = [torch.nn.Parameter(torch.ones(2))]
    assert average.make_average(parameters, 0.9, place="auto").shadow_params[0].tolist() == [1, 1]
    assert "unet.ema_device: auto" in capsys.readouterr().out
    made.clear()
    with pytest.raises(torch.OutOfMemoryError):
        average.make_average(parameters, 0.9, place="device")


def test_an_optimizer_s_state_is_there_and_empty_from_the_start():
    parameters = [torch.nn.Parameter(torch.randn(4, 4)), torch.nn.Parameter(torch.randn(3))]
    before = copy.deepcopy(parameters)
    options = dict(learning_rate=0.1, weight_decay=0.5)
    optimizer = optimizers.build_optimizer("adamw", parameters, **options)
    for weight, old in zip(parameters, before, strict=True):
        assert torch.equal(weight, old) and weight.grad is None
    state = optimizers.collect_state(optimizer, parameters)
    assert {name.split(".")[0] for name in state} == {"exp_avg", "exp_avg_sq", "step"}
    assert not any(tensor.any() for tensor in state.values())
    assert optimizer.param_groups[0]["lr"] == 0.1


def test_build_optimizer_refuses_an_unknown_name():
    with pytest.raises(ValueError, match="unet.optimizer = sgd; must be one of adamw, adamw8bit"):
        optimizers.build_optimizer("sgd", [], learning_rate=0.1, weight_decay=0)


def test_adamw8bit_trains_and_resumes(pool, tmp_path):
    pytest.importorskip("bitsandbytes")
    whole = trainer(optimizer="adamw8bit")
    losses = whole.train(pool, tmp_path / "none", lambda step, loss: None, **DRAWING)
    full = trainer().train(pool, tmp_path / "none", lambda step, loss: None, **DRAWING)
    assert (losses - full).abs().max() < 0.02 * full.mean()
    first = trainer(optimizer="adamw8bit")
    first.steps = 5
    first.train(pool, tmp_path / "state", lambda step, loss: None, **DRAWING)
    first.save_checkpoint(tmp_path / "state")
    second = trainer(optimizer="adamw8bit")
    second.load_checkpoint(tmp_path / "state")
    assert second.step == 5
    again = second.train(pool, tmp_path / "state", lambda step, loss: None, **DRAWING)
    assert torch.equal(again, losses) and torch.equal(weights(second), weights(whole))


def test_describe_memory_names_this_process_and_others(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (2_000_000_000, 24_000_000_000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: 15_000_000_000)
    said = memory.describe_memory()
    assert said == "24.0 GB: 15.0 of this process, 7.0 of others, 2.0 free"


@pytest.fixture(params=["bf16", "fp16"])
def half(request):
    """An accelerator that computes as a GPU of that precision, here on the CPU."""
    AcceleratorState._reset_state()
    accelerator = Accelerator(cpu=True, mixed_precision="bf16")
    accelerator.native_amp = True
    if request.param == "fp16":
        accelerator.state._mixed_precision = "fp16"
        accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    yield accelerator
    AcceleratorState._reset_state()


def test_half_precision_trains_as_float32_and_resumes(pool, tmp_path, whole, half):
    """Losses differ by less than 2 %, weights by less than a tenth of what training changes."""
    before = weights(trainer(accelerator=half))
    losses, trained = train(trainer(accelerator=half), pool, tmp_path)
    assert not torch.equal(losses, whole[0]), "nothing was rounded"
    assert ((losses - whole[0]).abs() < 0.02 * whole[0]).all()
    assert (trained - whole[1]).norm() < 0.1 * (whole[1] - before).norm()
    first = trainer(accelerator=half)
    first.steps = 5
    train(first, pool, tmp_path)
    first.save_checkpoint(tmp_path / "state")
    second = trainer(accelerator=half)
    second.load_checkpoint(tmp_path / "state")
    again, resumed = train(second, pool, tmp_path)
    assert torch.equal(again, losses) and torch.equal(resumed, trained)
