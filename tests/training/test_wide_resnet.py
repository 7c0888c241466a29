"""Wide-ResNet: sizes, names, structure and first weights."""

import math

import pytest
import torch
from mvc.training.wide_resnet import Block, WideResNet, build
from torch import nn


def parameters(name, n_classes):
    return sum(p.numel() for p in build(name, n_classes).parameters())


@pytest.mark.parametrize(
    "name, millions", [("wrn-28-10", 36.5), ("wrn-28-2", 1.5), ("wrn-40-4", 8.9)]
)
def test_parameter_counts_are_the_published(name, millions):
    assert parameters(name, 10) / 1e6 == pytest.approx(millions, abs=0.05)


def test_parameter_count_by_hand():
    """WRN-10-1: stem, three blocks with 1x1 shortcuts where the shape changes, norms, head."""
    convolutions = 9 * (3 * 16 + 2 * 16 * 16 + 16 * 32 + 32 * 32 + 32 * 64 + 64 * 64)
    shortcuts = 16 * 32 + 32 * 64
    norms = 2 * (16 + 16 + 16 + 32 + 32 + 64 + 64)
    assert parameters("wrn-10-1", 10) == convolutions + shortcuts + norms + 64 * 10 + 10


@pytest.mark.parametrize(
    "name, message",
    [
        ("wrn-28", "must be wrn-<depth>-<width>"),
        ("resnet50", "must be wrn-<depth>-<width>"),
        ("WRN-28-10", "must be wrn-<depth>-<width>"),
        ("wrn-28-10-x", "must be wrn-<depth>-<width>"),
        ("wrn-12-1", r"depth = 12; must be 6n \+ 4"),
        ("wrn-4-1", r"depth = 4; must be 6n \+ 4"),
        ("wrn-10-0", "width = 0"),
    ],
)
def test_bad_names_say_what_is_allowed(name, message):
    with pytest.raises(ValueError, match=f"classifiers.models: '{name}'.*{message}"):
        build(name, 10)


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (32, 32), (33, 50)])
def test_any_image_size(size):
    net = build("wrn-10-1", 7)
    assert net(torch.zeros(2, 3, *size)).shape == (2, 7)


@pytest.mark.parametrize("depth, per_group", [(10, 1), (16, 2), (28, 4)])
def test_three_groups_of_blocks(depth, per_group):
    blocks = list(WideResNet(depth, 2, 10).blocks)
    widths = [block.conv2.out_channels for block in blocks]
    assert widths == [32] * per_group + [64] * per_group + [128] * per_group
    strides = [block.conv1.stride[0] for block in blocks]
    assert [i for i, stride in enumerate(strides) if stride == 2] == [per_group, 2 * per_group]


def test_block_is_pre_activated():
    """out = conv2(relu(bn2(conv1(a)))) + shortcut(a), a = relu(bn1(x)); x itself where it fits."""
    for inputs, outputs, stride in ((4, 4, 1), (4, 8, 2)):
        block = Block(inputs, outputs, stride).eval()
        x = torch.randn(2, inputs, 6, 6)
        active = block.bn1(x).clamp(min=0)
        inner = block.conv2(block.bn2(block.conv1(active)).clamp(min=0))
        skip = x if block.shortcut is None else block.shortcut(active)
        assert (block.shortcut is None) == (inputs == outputs)
        assert torch.allclose(block(x), inner + skip, atol=1e-6)


def test_batch_norm_follows_pytorch_momentum():
    """0.1 in PyTorch is 0.9 in TensorFlow; the wrong one of the two is a known fault of ports."""
    norms = [m for m in build("wrn-10-1", 10).modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 7
    assert all(m.momentum == 0.1 and m.eps == 1e-5 for m in norms)
    assert not any(isinstance(m, nn.Dropout) for m in build("wrn-10-1", 10).modules())


def test_first_weights_are_he_and_seeded():
    first, same, other = (
        build("wrn-10-4", 10, generator=torch.Generator().manual_seed(s)) for s in (0, 0, 1)
    )
    for a, b in zip(first.parameters(), same.parameters(), strict=True):
        assert torch.equal(a, b)
    weight = first.blocks[2].conv2.weight  # 256 channels of 3 x 3
    assert not torch.equal(weight, other.blocks[2].conv2.weight)
    assert weight.std().item() == pytest.approx(math.sqrt(2 / (256 * 9)), rel=0.02)
    assert first.head.bias.abs().max() == 0


def test_memory_format_changes_nothing():
    net = build("wrn-16-1", 5).eval()
    x = torch.randn(3, 3, 16, 16)
    expected = net(x)
    last = net.to(memory_format=torch.channels_last)(
        x.contiguous(memory_format=torch.channels_last)
    )
    assert torch.allclose(last, expected, atol=1e-5)
