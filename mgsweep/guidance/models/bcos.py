"""The B-cos ResNet: dynamic-linear, so that W(x) x explains an output completely. See `bcos_layers` for the source."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from mgsweep.guidance.models.bcos_layers import BatchNormUncentered2d, BcosConv2d, BcosHead, ExplanationMode, LogitBias
from mgsweep.guidance.models.classifier import Classifier, Network
from mgsweep.guidance.models.layers import AvgPool2d, Identity, Layer
from mgsweep.guidance.models.resnet import Layers, ResNet

LOGIT_BIAS = math.log(0.001 / 0.999)
"""Added to every logit, so that a class without evidence has probability 0.001."""


def bcos(backbone: str, num_classes: int) -> Classifier:
    """A B-cos ResNet, freshly initialised as in B-cos v2.

    Raises:
        UnknownName: no such backbone.
    """
    mode = ExplanationMode()
    layers = Layers(
        in_channels=6,
        conv=partial(BcosConv2d, mode=mode),
        norm=partial(BatchNormUncentered2d, mode=mode),
        activation=Identity,
        pool=partial(AvgPool2d, 3, stride=2, padding=1),
        head=partial(BcosHead, mode=mode),
    )
    return Classifier(BcosNetwork(ResNet(layers, backbone, num_classes), mode), AddInverse())


class BcosNetwork(Network):
    """A B-cos ResNet and a logit bias, with the parameter names of a Sequential of the two."""

    def __init__(self, resnet: ResNet, mode: ExplanationMode) -> None:
        super().__init__()
        self.add_module("0", resnet)
        self.add_module("1", LogitBias(LOGIT_BIAS))
        self.mode = mode

    def steps(self) -> tuple[tuple[Layer, ...], ...]:
        """The steps of the ResNet, the bias behind its head."""
        resnet, bias = cast("ResNet", self.get_submodule("0")), cast("Layer", self.get_submodule("1"))
        *stages, head = resnet.steps()
        return (*stages, (*head, bias))

    def explaining(self) -> AbstractContextManager[None]:
        """Hold |cos| and the norms' standard deviations constant in gradients."""
        return self.mode.open()


class AddInverse(nn.Module):
    """Images x as the six channels [x, 1 - x], which tell black from an absence of evidence."""

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 6, H, W)."""
        return torch.cat([images, 1 - images], 1)
