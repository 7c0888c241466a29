"""Training strategies: which images each step sees."""

import pytest
import torch
from mvc.training import strategies
from mvc.training.strategies import Length, insert_extra, lengthen, plan_phases, shuffle_batches
from toy import generator


def plan(n_real=10, extra=(0, 1, 1, 2), **changes):
    labels = torch.arange(n_real) % 3
    defaults = {"length": Length(4, steps=20), "learning_rate": 0.1, "strategy": "two_phase"}
    streams = {"order": generator(1), "choice": generator(2)}
    extra = torch.tensor(extra, dtype=torch.int64)
    return plan_phases(labels, extra, **{**defaults, **streams, **changes})


def rows(phase):
    return torch.cat(list(phase.batches))


@pytest.mark.parametrize("n, draws, size", [(10, 35, 4), (3, 20, 8), (1, 5, 2), (8, 8, 8)])
def test_shuffle_batches_sees_every_image_once_per_pass(n, draws, size):
    found = list(shuffle_batches(n, draws, size, generator=generator()))
    assert [len(b) for b in found] == [size] * (draws // size) + [draws % size] * bool(draws % size)
    order = torch.cat(found)
    for start in range(0, draws - n + 1, n):
        assert order[start : start + n].sort().values.tolist() == list(range(n))


@pytest.mark.parametrize("strategy", strategies.STRATEGIES)
def test_plan_phases_gives_every_arm_the_same_steps(strategy):
    """The fair comparison: an arm with extra images gets no more steps than one without."""
    alone = plan(extra=(), strategy=strategy)
    mixed = plan(strategy=strategy)
    assert sum(p.steps for p in alone) == sum(p.steps for p in mixed) == 20
    assert sum(len(list(p.batches)) for p in mixed) == 20


def test_plan_phases_two_phase_is_all_images_then_real_ones():
    first, second = plan(share=0.2, learning_rate_scale=0.1)
    assert (first.steps, second.steps) == (16, 4)
    assert second.learning_rate == pytest.approx(0.01)
    assert set(rows(first).tolist()) == set(range(14))
    assert rows(second).max() < 10


def test_plan_phases_epochs_are_the_papers_schedule():
    """Phase 1: all epochs over real and extra images; phase 2: 20 % of the epochs, real alone."""
    first, second = plan(length=Length(4, epochs=10))
    assert len(rows(first)) == 140 and first.steps == 35
    assert len(rows(second)) == 20 and second.steps == 5
    (only,) = plan(extra=(), length=Length(4, epochs=10))
    assert only.steps == 25


def test_plan_phases_combined_is_one_set():
    (only,) = plan(strategy="combined", length=Length(4, epochs=1))
    assert rows(only).sort().values.tolist() == list(range(14))


def test_insert_extra_keeps_class_and_share():
    labels = torch.tensor([0, 1, 2, 3])
    extra = torch.tensor([1, 0, 1, 2, 1])
    batch = torch.arange(4).repeat(5000)
    (mixed,) = insert_extra(
        iter([batch]), labels, extra, p=0.8, mode="replace", generator=generator()
    )
    assert torch.equal(torch.cat((labels, extra))[mixed], labels[batch])
    taken = (mixed >= 4).double().view(-1, 4).mean(0)
    assert taken[:3].tolist() == pytest.approx([0.8] * 3, abs=0.02) and taken[3] == 0
    ones = torch.bincount(mixed[batch == 1], minlength=9)[[4, 6, 8]] / 5000
    assert ones.tolist() == pytest.approx([0.8 / 3] * 3, abs=0.02)


def test_insert_extra_appends():
    labels = torch.tensor([0, 1, 2])
    (grown,) = insert_extra(
        iter([torch.arange(3)]),
        labels,
        torch.tensor([0, 1, 2]),
        p=1,
        mode="append",
        generator=generator(),
    )
    assert grown.tolist() == [0, 1, 2, 3, 4, 5]


def test_plan_phases_pairs_real_batches():
    """Equal seeds: RSP with p = 0 sees what the arm without extra images sees."""
    alone = rows(plan(extra=())[0])
    assert torch.equal(rows(plan(strategy="rsp", p=0)[0]), alone)
    second = rows(plan()[1])
    assert torch.equal(second, alone[: len(second)])


@pytest.mark.parametrize("strategy", strategies.STRATEGIES)
@pytest.mark.parametrize("length", [Length(4, epochs=7), Length(4, steps=20)])
def test_lengthen_gives_as_many_steps(strategy, length):
    """Real images alone, exactly as many steps as with extra images, one schedule."""
    extra = [k for k, count in enumerate((6, 5, 5)) for _ in range(count)]  # ceil(1.5 K_y)
    long = lengthen(length, torch.arange(10) % 3, 1.5, strategy=strategy, share=0.3)
    mixed = plan(extra=extra, strategy=strategy, length=length, share=0.3)
    (control,) = plan(extra=(), length=long)
    assert control.steps == sum(phase.steps for phase in mixed) and control.learning_rate == 0.1
    assert len(list(control.batches)) == control.steps
    seen, alone = rows(plan(extra=(), length=long)[0]), rows(plan(extra=(), length=length)[0])
    assert seen.max() < 10 and torch.equal(seen[: len(alone)], alone)
    if length.steps or strategy == "rsp":
        assert len(seen) <= len(alone) + 3  # changes nothing but a full last batch
    else:
        assert len(seen) > 2 * len(alone)


@pytest.mark.parametrize("n, epochs", [(9, 1), (13, 1), (5, 1), (10, 0.5)])
def test_no_batch_of_one_image(n, epochs):
    """Batch norm at a single position has no statistics of one image."""
    (only,) = plan(n, extra=(), length=Length(4, epochs=epochs))
    sizes = [len(batch) for batch in only.batches]
    assert len(sizes) == only.steps and min(sizes) > 1 and sum(sizes) - n * epochs in (0, 1)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"strategy": "three_phase"}, "must be one of two_phase, rsp, combined"),
        ({"strategy": "rsp", "p": 1.2}, "p = 1.2"),
        ({"strategy": "rsp", "mode": "add"}, "mode = add"),
        ({"share": 1.0}, "share = 1.0"),
    ],
)
def test_bad_strategies_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        [rows(phase) for phase in plan(**changes)]


@pytest.mark.parametrize("given", [{}, {"epochs": 1, "steps": 1}])
def test_length_is_epochs_or_steps(given):
    with pytest.raises(ValueError, match="set one of them"):
        Length(4, **given)
