"""Model families. A new one is one file beside this and one line below; `contracts.Model` says what it promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mgsweep.guidance.contracts import Model
from mgsweep.registry import Registry

if TYPE_CHECKING:
    from mgsweep.guidance.models.classifier import Classifier

RESNETS = ("resnet10", "resnet18", "resnet34", "resnet50", "resnet101")

MODELS = Registry(
    "model",
    Model(
        "vanilla",
        "mgsweep.guidance.models.vanilla:vanilla",
        backbones=(*RESNETS, "efficientnet_lite0"),
        lacks="vanilla has biases and normalisation",
    ),
    Model(
        "xdnn",
        "mgsweep.guidance.models.xdnn:xdnn",
        backbones=RESNETS,
        traits=frozenset({"homogeneous"}),
        lacks="xdnn multiplies by fixed weights only",
    ),
    Model(
        "bcos",
        "mgsweep.guidance.models.bcos:bcos",
        backbones=(*RESNETS, "densenet121", "vitc_s"),
        traits=frozenset({"dynamic_linear"}),
        lacks="bcos scales its outputs by the cosine to its inputs",
    ),
)


def build(model: str, backbone: str, num_classes: int) -> Classifier:
    """A freshly initialised classifier on images (B, 3, H, W) in [0, 1]; normalising or encoding happens inside.

    Its `.network` is the bare network, with the parameter names of the published checkpoints.

    Raises:
        UnknownName: no such model family.
    """
    return MODELS[model](backbone, num_classes)
