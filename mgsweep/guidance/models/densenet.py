"""The B-cos DenseNet-121 of B-cos v2 (Huang et al., CVPR 2017, arXiv 1608.06993, with the layers of `bcos_layers`)."""

from __future__ import annotations

from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from mgsweep.guidance.models.bcos_layers import BatchNormUncentered2d, BcosConv2d, BcosHead, ExplanationMode
from mgsweep.guidance.models.classifier import Network
from mgsweep.guidance.models.layers import AvgPool2d, Chain, Layer, Pullback, chain

BLOCKS = (6, 12, 24, 16)
GROWTH, STEM, WIDENED = 32, 64, 4


class DenseLayer(Layer):
    """A 1x1 and a 3x3 convolution, each behind its norm."""

    def __init__(self, channels: int, mode: ExplanationMode) -> None:
        super().__init__()
        self.norm1 = BatchNormUncentered2d(channels, mode)
        self.conv1 = BcosConv2d(channels, WIDENED * GROWTH, 1, 1, mode)
        self.norm2 = BatchNormUncentered2d(WIDENED * GROWTH, mode)
        self.conv2 = BcosConv2d(WIDENED * GROWTH, GROWTH, 3, 1, mode)

    def vjp(self, x: Tensor) -> tuple[Tensor, Pullback]:
        """(B, channels, h, w) -> (B, GROWTH, h, w)."""
        return chain(x, self.norm1, self.conv1, self.norm2, self.conv2)


class DenseBlock(Layer):
    """Layers that each add channels to all there were before."""

    def __init__(self, count: int, channels: int, mode: ExplanationMode) -> None:
        super().__init__()
        for number in range(count):
            self.add_module(f"denselayer{number + 1}", DenseLayer(channels + number * GROWTH, mode))

    def vjp(self, x: Tensor) -> tuple[Tensor, Pullback]:
        """(B, K, h, w) -> (B, K + count GROWTH, h, w)."""
        pulls = []
        for layer in self.children():
            new, pull = cast("DenseLayer", layer).vjp(x)
            x = torch.cat([x, new], 1)
            pulls.append(pull)

        def pullback(gradient: Tensor) -> Tensor:
            for pull in reversed(pulls):
                old, new = gradient[:, :-GROWTH], gradient[:, -GROWTH:]
                gradient = old + pull(new)
            return gradient

        return x, pullback


class Transition(Chain):
    """Half the channels, then half the size."""

    def __init__(self, channels: int, mode: ExplanationMode) -> None:
        super().__init__()
        self.norm = BatchNormUncentered2d(channels, mode)
        self.conv = BcosConv2d(channels, channels // 2, 1, 1, mode)
        self.pool = AvgPool2d(2, stride=2)


class BcosDenseNet121(Network):
    """DenseNet-121 of B-cos layers on six channels, with the parameter names and initial weights of B-cos v2."""

    head = "classifier"

    def __init__(self, num_classes: int, mode: ExplanationMode) -> None:
        super().__init__()
        self.features = nn.ModuleDict(
            {
                "conv0": BcosConv2d(6, STEM, 7, 2, mode),
                "norm0": BatchNormUncentered2d(STEM, mode),
                "pool0": AvgPool2d(3, stride=2, padding=1),
            }
        )
        channels = STEM
        for number, count in enumerate(BLOCKS, 1):
            if number > 1:
                self.features[f"transition{number - 1}"] = Transition(channels, mode)
                channels //= 2
            self.features[f"denseblock{number}"] = DenseBlock(count, channels, mode)
            channels += count * GROWTH
        self.features["norm5"] = BatchNormUncentered2d(channels, mode)
        self.classifier = BcosHead(channels, num_classes, mode)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)

    def steps(self) -> tuple[tuple[Layer, ...], ...]:
        """Stem and first dense block, the other three behind their transitions (and the last before a norm), head."""
        part = partial(_named, self.features)
        return (
            part("conv0", "norm0", "pool0", "denseblock1"),
            part("transition1", "denseblock2"),
            part("transition2", "denseblock3"),
            part("transition3", "denseblock4", "norm5"),
            (self.classifier,),
        )


def _named(layers: nn.ModuleDict, *names: str) -> tuple[Layer, ...]:
    return tuple(cast("Layer", layers[name]) for name in names)
