"""The plain ResNet: batch norm and ReLU, interchangeable with torchvision's weight for weight."""

from __future__ import annotations

from torch import nn

from mgsweep.guidance.models.classifier import Classifier, Normalise
from mgsweep.guidance.models.resnet import Layers, PooledLinear, ResNet, conv2d, max_pool

LAYERS = Layers(in_channels=3, conv=conv2d, norm=nn.BatchNorm2d, activation=nn.ReLU, pool=max_pool, head=PooledLinear)


def vanilla(backbone: str, num_classes: int) -> Classifier:
    """A ResNet with batch norm, freshly initialised as torchvision does.

    Raises:
        UnknownName: no such backbone.
    """
    return Classifier(ResNet(LAYERS, backbone, num_classes), Normalise())
