"""The one ResNet (He et al., CVPR 2016; arXiv 1512.03385) that all families build from their own layers.

Parameters are named as in torchvision, on which the published checkpoints of every family agree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor, nn

from mgsweep.errors import UnknownName
from mgsweep.guidance.models.classifier import Network
from mgsweep.guidance.models.layers import Chain, Identity, Layer, Pullback, add, after, chain


@dataclass(frozen=True)
class Layers:
    """The layers a family builds its ResNet from.

    `conv` takes (channels in, channels out, kernel size, stride) and keeps the size but for the stride; `head` takes
    (channels, classes) and maps features (B, K, h, w) to logits (B, C), pooling included.
    """

    in_channels: int
    conv: Callable[[int, int, int, int], Layer]
    norm: Callable[[int], Layer]
    activation: Callable[[], Layer]
    pool: Callable[[], Layer]
    head: Callable[[int, int], Layer]

    def shortcut(self, channels: int, out: int, stride: int) -> Layer:
        """What a block's input passes through to be added to its residual branch."""
        if channels == out and stride == 1:
            return Identity()
        conv = self.conv(channels, out, 1, stride)
        # Checkpoints without normalisation hold the bare convolution here.
        return conv if self.norm is NoNorm else Chain(conv, self.norm(out))


class NoNorm(Identity):
    """In place of a normalisation."""

    def __init__(self, channels: int) -> None:
        super().__init__()


class BasicBlock(Layer):
    """Two 3x3 convolutions beside a shortcut; the first one carries the stride."""

    expansion = 1

    def __init__(self, layers: Layers, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = layers.conv(channels, width, 3, stride)
        self.bn1 = layers.norm(width)
        self.conv2 = layers.conv(width, width, 3, 1)
        self.bn2 = layers.norm(width)
        self.relu = layers.activation()
        self.downsample = layers.shortcut(channels, width, stride)

    def vjp(self, x: Tensor) -> tuple[Tensor, Pullback]:
        """(B, channels, h, w) -> (B, width, h / stride, w / stride)."""
        residual = chain(x, self.conv1, self.bn1, self.relu, self.conv2, self.bn2)
        return after(add(residual, self.downsample.vjp(x)), self.relu)


class Bottleneck(Layer):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut; the 3x3 one carries the stride, as in torchvision."""

    expansion = 4

    def __init__(self, layers: Layers, channels: int, width: int, stride: int) -> None:
        super().__init__()
        out = width * self.expansion
        self.conv1 = layers.conv(channels, width, 1, 1)
        self.bn1 = layers.norm(width)
        self.conv2 = layers.conv(width, width, 3, stride)
        self.bn2 = layers.norm(width)
        self.conv3 = layers.conv(width, out, 1, 1)
        self.bn3 = layers.norm(out)
        self.relu = layers.activation()
        self.downsample = layers.shortcut(channels, out, stride)

    def vjp(self, x: Tensor) -> tuple[Tensor, Pullback]:
        """(B, channels, h, w) -> (B, 4 width, h / stride, w / stride)."""
        layers = (self.conv1, self.bn1, self.relu, self.conv2, self.bn2, self.relu, self.conv3, self.bn3)
        return after(add(chain(x, *layers), self.downsample.vjp(x)), self.relu)


class Layout(NamedTuple):
    """Size and shape of a backbone: blocks in each of its four stages, their widths and strides, and its stem."""

    block: type[BasicBlock | Bottleneck]
    blocks: tuple[int, int, int, int]
    widths: tuple[int, int, int, int] = (64, 128, 256, 512)
    strides: tuple[int, int, int, int] = (1, 2, 2, 2)
    stem_kernel: int = 7
    stem_pool: bool = True


LAYOUTS = {
    # For small images and quick trials: 64 pixels give final features of 8 x 8.
    "resnet10": Layout(BasicBlock, (1, 1, 1, 1), (16, 32, 64, 128), (1, 2, 2, 1), stem_kernel=3, stem_pool=False),
    "resnet18": Layout(BasicBlock, (2, 2, 2, 2)),
    "resnet34": Layout(BasicBlock, (3, 4, 6, 3)),
    "resnet50": Layout(Bottleneck, (3, 4, 6, 3)),
    "resnet101": Layout(Bottleneck, (3, 4, 23, 3)),
}


class ResNet(Network):
    """A ResNet of the given layers, with torchvision's initial weights (He et al., fan-out) in every convolution.

    Raises:
        UnknownName: no such backbone.
    """

    def __init__(self, layers: Layers, backbone: str, num_classes: int) -> None:
        super().__init__()
        if backbone not in LAYOUTS:
            raise UnknownName("backbone", backbone, LAYOUTS)
        layout = LAYOUTS[backbone]
        stem_width = layout.widths[0]
        self.conv1 = layers.conv(layers.in_channels, stem_width, layout.stem_kernel, 2)
        self.bn1 = layers.norm(stem_width)
        self.relu = layers.activation()
        self.pool = layers.pool() if layout.stem_pool else Identity()
        widths = [stem_width, *(width * layout.block.expansion for width in layout.widths)]
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            _stage(layers, layout, widths[index], index) for index in range(4)
        )
        self.fc = layers.head(widths[-1], num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def steps(self) -> tuple[tuple[Layer, ...], ...]:
        """Five steps: stem and first stage, the other three stages, head."""
        stem = (self.conv1, self.bn1, self.relu, self.pool)
        return (*stem, self.layer1), (self.layer2,), (self.layer3,), (self.layer4,), (self.fc,)


def _stage(layers: Layers, layout: Layout, channels: int, index: int) -> Chain:
    width = layout.widths[index]
    first = layout.block(layers, channels, width, layout.strides[index])
    others = (layout.block(layers, width * layout.block.expansion, width, 1) for _ in range(layout.blocks[index] - 1))
    return Chain(first, *others)
