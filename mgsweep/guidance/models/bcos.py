"""B-cos networks: dynamic-linear, so that W(x) x explains an output completely. See `bcos_layers` for the source."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from mgsweep.guidance.models.bcos_layers import BatchNormUncentered2d, BcosConv2d, BcosHead, ExplanationMode, LogitBias
from mgsweep.guidance.models.classifier import Classifier, Network
from mgsweep.guidance.models.densenet import BcosDenseNet121
from mgsweep.guidance.models.layers import AvgPool2d, Identity, Layer
from mgsweep.guidance.models.resnet import Layers, ResNet
from mgsweep.guidance.models.vit import BcosViT

LOGIT_BIAS = math.log(0.001 / 0.999)
"""Added to every logit, so that a class without evidence has probability 0.001."""


def bcos(backbone: str, num_classes: int) -> Classifier:
    """A B-cos ResNet, DenseNet-121 or ViT, freshly initialised as in B-cos v2.

    Raises:
        UnknownName: no such backbone.
    """
    mode = ExplanationMode()
    if backbone == "densenet121":
        return Classifier(BcosNetwork(BcosDenseNet121(num_classes, mode), mode), AddInverse())
    if backbone == "vitc_s":
        return Classifier(BcosNetwork(BcosViT(num_classes, mode), mode), AddInverse())
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
    """A network of B-cos layers and a logit bias, with the parameter names of a Sequential of the two."""

    def __init__(self, body: Network, mode: ExplanationMode) -> None:
        super().__init__()
        self.add_module("0", body)
        self.add_module("1", LogitBias(LOGIT_BIAS))
        self.head = f"0.{body.head}"
        self.mode = mode

    def steps(self) -> tuple[tuple[Layer, ...], ...]:
        """The steps of the network, the bias behind its head."""
        body, bias = cast("Network", self.get_submodule("0")), cast("Layer", self.get_submodule("1"))
        *stages, head = body.steps()
        return (*stages, (*head, bias))

    def explaining(self) -> AbstractContextManager[None]:
        """Hold |cos| and the norms' standard deviations constant in gradients."""
        return self.mode.open()

    def as_now(self) -> Callable[[], AbstractContextManager[None]]:
        """The mode as it is."""
        return partial(self.mode.open, self.mode.active)


class AddInverse(nn.Module):
    """Images x as the six channels [x, 1 - x], which tell black from an absence of evidence."""

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 6, H, W)."""
        return torch.cat([images, 1 - images], 1)
