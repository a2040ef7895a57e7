"""Plain networks: the ResNet with batch norm and ReLU, interchangeable with torchvision's, and EfficientNet-Lite0."""

from __future__ import annotations

from functools import partial

from mgsweep.guidance.models.classifier import Classifier, Normalise
from mgsweep.guidance.models.efficientnet import efficientnet_lite0
from mgsweep.guidance.models.layers import BatchNorm2d, Conv2d, MaxPool2d, PooledLinear, ReLU
from mgsweep.guidance.models.resnet import Layers, ResNet

LAYERS = Layers(
    in_channels=3,
    conv=Conv2d,
    norm=BatchNorm2d,
    activation=ReLU,
    pool=partial(MaxPool2d, 3, stride=2, padding=1),
    head=PooledLinear,
)


def vanilla(backbone: str, num_classes: int) -> Classifier:
    """A ResNet with batch norm, freshly initialised as torchvision does; or `efficientnet_lite0`.

    Raises:
        UnknownName: no such backbone.
    """
    if backbone == "efficientnet_lite0":
        return efficientnet_lite0(num_classes)
    return Classifier(ResNet(LAYERS, backbone, num_classes), Normalise())
