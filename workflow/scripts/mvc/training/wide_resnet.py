"""Wide residual networks of any depth and width (Zagoruyko & Komodakis, 2016).

Pre-activation blocks of two 3x3 convolutions in three groups of 16k, 32k and 64k channels, as the
AutoAugment, RandAugment and Fast AutoAugment papers train them. Where a block changes its shape,
the shortcut is a 1x1 convolution of the activated input. No dropout. Batch norm: PyTorch's momentum
0.1 (TensorFlow's 0.9), eps 1e-5.
Axes: n images, c channels, h and w pixels, k classes.
"""

import math
import re

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

NAME = re.compile(r"wrn-(\d+)-(\d+)")


class Block(nn.Module):
    """BN-ReLU-conv twice, plus the shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        changes = stride != 1 or inputs != outputs
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False) if changes else None

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d i j"]:
        active = F.relu(self.bn1(x), inplace=True)
        skip = x if self.shortcut is None else self.shortcut(active)
        inner = F.relu(self.bn2(self.conv1(active)), inplace=True)
        return self.conv2(inner) + skip


class WideResNet(nn.Module):
    """WRN-depth-width for images of any size: the last feature map is averaged over space."""

    def __init__(
        self, depth: int, width: int, n_classes: int, *, generator: torch.Generator | None = None
    ):
        """`depth` = 6n + 4 layers, `width` times 16/32/64 channels, weights from `generator`.

        Raises:
            ValueError: depth is not 6n + 4 with n >= 1, or width or n_classes is below 1.
        """
        super().__init__()
        if depth < 10 or (depth - 4) % 6:
            raise ValueError(
                f"depth = {depth}; must be 6n + 4, n >= 1: 10, 16, 22, 28, 34, 40, ..."
            )
        if width < 1 or n_classes < 1:
            raise ValueError(f"width = {width}, n_classes = {n_classes}; both must be >= 1")
        self.stem = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        channels, blocks = 16, []
        for outputs, stride in ((16 * width, 1), (32 * width, 2), (64 * width, 2)):
            for i in range((depth - 4) // 6):
                blocks.append(Block(channels, outputs, stride if i == 0 else 1))
                channels = outputs
        self.blocks = nn.Sequential(*blocks)
        self.bn = nn.BatchNorm2d(channels)
        self.head = nn.Linear(channels, n_classes)
        initialise(self, generator)

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n k"]:
        features = F.relu(self.bn(self.blocks(self.stem(x))), inplace=True)
        return self.head(features.mean((2, 3)))


@torch.no_grad()
def initialise(model: nn.Module, generator: torch.Generator | None) -> None:
    """Initialise by He et al.: convolutions normal, variance 2 / fan-out; head uniform, bias 0."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.out_channels * math.prod(module.kernel_size)
            module.weight.normal_(0, math.sqrt(2 / fan_out), generator=generator)
        elif isinstance(module, nn.Linear):
            bound = 1 / math.sqrt(module.in_features)
            module.weight.uniform_(-bound, bound, generator=generator)
            module.bias.zero_()


def build(name: str, n_classes: int, *, generator: torch.Generator | None = None) -> WideResNet:
    """Build the network called `name`, e.g. `wrn-28-10`: depth 28, width 10.

    Raises:
        ValueError: the name is not `wrn-<depth>-<width>`, or there is no network of that depth.
    """
    match = NAME.fullmatch(name)
    if not match:
        raise ValueError(
            f"classifiers.models: {name!r}; must be wrn-<depth>-<width>, e.g. wrn-28-10"
        )
    try:
        return WideResNet(int(match[1]), int(match[2]), n_classes, generator=generator)
    except ValueError as error:
        raise ValueError(f"classifiers.models: {name!r}: {error}") from None
