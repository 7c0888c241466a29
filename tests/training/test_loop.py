"""The training loop: optimizers, batches, statistics, prediction."""

import numpy as np
import pytest
import torch
from mvc.training.loop import (
    OPTIMIZERS,
    augment_block,
    build_optimizer,
    group_batches,
    measure_statistics,
    move_to_device,
    predict,
    take_rows,
    train,
)
from mvc.training.strategies import Phase, shuffle_batches
from mvc.training.wide_resnet import build
from toy import generator, toy


def train_by_hand(name, inputs, labels, *, learning_rate, weight_decay, max_grad_norm):
    """Softmax regression, one image a step, written from the papers' update rules.

    Nesterov momentum 0.9 or Adam; L2 decay joins the clipped gradient; cosine schedule.
    """
    weight = torch.zeros(2, inputs.shape[1])
    momentum, mean, square = (torch.zeros_like(weight) for _ in range(3))
    for step, (x, label) in enumerate(zip(inputs, labels.tolist(), strict=True)):
        rate = learning_rate * (1 + np.cos(np.pi * step / len(labels))) / 2
        gradient = ((weight @ x).softmax(0) - torch.eye(2)[label])[:, None] * x
        gradient = gradient * min(1, max_grad_norm / float(gradient.norm()))
        gradient = gradient + weight_decay * weight
        if name == "sgd":
            momentum = 0.9 * momentum + gradient
            weight = weight - rate * (gradient + 0.9 * momentum)
        else:
            mean = 0.9 * mean + 0.1 * gradient
            square = 0.999 * square + 0.001 * gradient**2
            spread = (square / (1 - 0.999 ** (step + 1))).sqrt() + 1e-8
            weight = weight - rate * mean / (1 - 0.9 ** (step + 1)) / spread
    return weight


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("max_grad_norm", [0.5, 1e9])
def test_train_equals_the_update_rules(name, max_grad_norm):
    images = torch.randint(1, 9, (6, 3, 1, 1), generator=generator()).byte()
    labels = torch.tensor([0, 1, 1, 0, 1, 0])
    settings = {"weight_decay": 0.1, "max_grad_norm": max_grad_norm}
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3, 2, bias=False))
    torch.nn.init.zeros_(net[1].weight)
    steps = train(
        net,
        images.split(4),
        labels,
        [Phase(iter(torch.arange(6).split(1)), 6, 0.05)],
        augment_batch=lambda batch: batch.float(),
        optimizer=name,
        **settings,
    )
    expected = train_by_hand(
        name, images.float().flatten(1), labels, learning_rate=0.05, **settings
    )
    assert steps == 6
    assert torch.allclose(net[1].weight, expected, rtol=1e-4, atol=1e-6)


def test_build_optimizer_refuses_an_unknown_name():
    with pytest.raises(ValueError, match="classifiers.optimizer = lamb; must be one of sgd, adam"):
        build_optimizer("lamb", build("wrn-10-1", 3), 0.1, weight_decay=0)


def test_batches_of_a_block_stay_apart(monkeypatch):
    part, cpu = toy(), torch.device("cpu")
    images = part.images.split(7)
    indices = list(shuffle_batches(24, 50, 8, generator=generator()))
    for most, blocks in ((1, 7), (8 * 8 * 20, 3), (2**18, 1)):
        monkeypatch.setattr("mvc.training.loop.BLOCK", most)
        grouped = list(group_batches(iter(indices), part.images))
        assert len(grouped) == blocks
        found = [
            each
            for block in grouped
            for each in augment_block(block, images, part.labels, torch.Tensor.float, cpu)
        ]
        assert [len(inputs) for inputs, _ in found] == [8] * 6 + [2]
        for batch, (inputs, targets) in zip(indices, found, strict=True):
            assert torch.equal(inputs, part.images[batch].float())
            assert torch.equal(targets, part.labels[batch])


def test_augment_block_augments_on_the_network_s_device():
    """Images may lie elsewhere: only the batch moves."""
    part, devices = toy(), []

    def prepare(images):
        devices.append(images.device.type)
        return images.float()

    block, device = [torch.arange(8), torch.arange(3)], torch.device("meta")
    found = list(augment_block(block, part.images.split(7), part.labels, prepare, device))
    assert devices == ["meta"] and [len(i) for i, _ in found] == [8, 3]
    assert {i.device.type for i, _ in found} == {t.device.type for _, t in found} == {"meta"}


def test_take_rows_numbers_the_parts_through():
    images, rows = toy(30).images, torch.tensor([29, 3, 3, 10, 0, 9, 20])
    for parts in ((images,), images.split(10), images.split([1, 29])):
        assert torch.equal(take_rows(parts, rows, torch.device("cpu")), images[rows])


def test_move_to_device_lets_many_images_stay_in_main_memory(monkeypatch, capsys):
    parts, moved = toy().images.split(16), []
    size = sum(part.nbytes for part in parts)
    monkeypatch.setattr(torch.Tensor, "to", lambda self, device: moved.append(device) or self)
    for free in (4 * size - 4, 4 * size):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, free=free: (free, 0))
        found = move_to_device(parts, torch.device("cuda"))
        assert all(one is other for one, other in zip(found, parts, strict=True))
    assert moved == [torch.device("cuda")] * 2  # the second time alone
    assert "stay in main memory" in capsys.readouterr().out


def test_measure_statistics_do_not_depend_on_the_block(monkeypatch):
    images = toy(n=30, size=9).images
    values = images.double().transpose(0, 1).flatten(1)
    for block in (1, 200, 2**22):
        monkeypatch.setattr("mvc.training.loop.PIXELS", block)
        mean, std = measure_statistics(images)
        assert mean.tolist() == pytest.approx(values.mean(1).tolist(), rel=1e-6)
        assert std.tolist() == pytest.approx(values.std(1, correction=0).tolist(), rel=1e-6)


def test_measure_statistics_of_uniform_channel():
    images = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    images[0, 1] = 100
    mean, std = measure_statistics(images)
    assert mean.tolist() == [0, 50, 0] and std.tolist() == [1, 50, 1]


def test_predict_does_not_depend_on_the_batch():
    part, net = toy(), build("wrn-10-1", 3, generator=generator())
    mean, std = measure_statistics(part.images)
    found = [predict(net, part.images, mean=mean, std=std, batch_size=b) for b in (1, 7, 24)]
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])
