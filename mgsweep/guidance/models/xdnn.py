"""X-DNN: a ResNet without biases and normalisation, so that integrated gradients need a single gradient.

Hesse, Schaub-Meyer, Roth: Fast Axiomatic Attribution for Neural Networks (NeurIPS 2021, arXiv 2111.07668). It trains
without normalisation through the initial weights of Fixup (Zhang, Dauphin, Ma, ICLR 2019, arXiv 1901.09321).
"""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

from mgsweep.guidance.models.classifier import Classifier, Normalise
from mgsweep.guidance.models.layers import Conv2d, MaxPool2d, PooledLinear, ReLU
from mgsweep.guidance.models.resnet import BasicBlock, Bottleneck, Layers, NoNorm, ResNet

LAYERS = Layers(
    in_channels=3,
    conv=Conv2d,
    norm=NoNorm,
    activation=ReLU,
    pool=partial(MaxPool2d, 3, stride=2, padding=1),
    head=PooledLinear,
)


def xdnn(backbone: str, num_classes: int) -> Classifier:
    """A ResNet that is homogeneous up to the bias of its last layer, freshly initialised by Fixup's rule.

    Raises:
        UnknownName: no such backbone.
    """
    network = ResNet(LAYERS, backbone, num_classes)
    fixup_(network)
    return Classifier(network, Normalise())


@torch.no_grad()
def fixup_(network: ResNet) -> None:
    """Fixup's rule: of the m convolutions of each of L residual branches, the last starts at zero and the others are
    scaled by L^(-1 / (2m - 2)), so a step changes the output by an amount that does not grow with depth.

    Fixup also starts the classifier at zero, which would make every attribution zero; ours keeps torch's random start.
    """
    blocks = [module for module in network.modules() if isinstance(module, BasicBlock | Bottleneck)]
    for block in blocks:
        convs = (layer for name, layer in block.named_children() if name != "downsample")
        *inner, last = (conv.weight for conv in convs if isinstance(conv, nn.Conv2d))
        for weight in inner:
            weight.mul_(len(blocks) ** (-1 / (2 * len(inner))))
        nn.init.zeros_(last)
