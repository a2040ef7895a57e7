"""Attributions. A new one is one file beside this and one line below; `contracts.Attribution` says what it promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mgsweep.guidance.contracts import DEPTHS, Attribution
from mgsweep.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

    from mgsweep.guidance.models.classifier import Classifier

ATTRIBUTIONS = Registry(
    "attribution",
    Attribution("ixg", "mgsweep.guidance.attributions.ixg:ixg"),
    Attribution(
        "intgrad",
        "mgsweep.guidance.attributions.intgrad:intgrad",
        needs=frozenset({"homogeneous"}),
        reason="a homogeneous network, where one gradient gives the exact integral",
    ),
    Attribution(
        "gradcam",
        "mgsweep.guidance.attributions.gradcam:gradcam",
        depths=DEPTHS[1:],
        reason="feature maps, which a depth below input has",
    ),
    Attribution(
        "bcos",
        "mgsweep.guidance.attributions.bcos:bcos",
        needs=frozenset({"dynamic_linear"}),
        reason="a dynamic-linear network, whose weights it summarises",
    ),
)


def attribute(
    model: Classifier, images: Tensor, classes: Tensor, method: str, depth: str, create_graph: bool = False
) -> Tensor:
    """Raw attribution maps (B, h, w) of the given classes, before any clamping or upsampling.

    Args:
        model: a classifier of `guidance.models.build`, in the mode (train or eval) it is to be explained in.
        images: (B, 3, H, W) in [0, 1].
        classes: (B,) int64, one class an image.
        method: a name of `ATTRIBUTIONS`.
        depth: one of `DEPTHS` that the method can use.
        create_graph: keep the maps differentiable by the parameters, as a guidance loss needs.

    Raises:
        UnknownName: no such method.
    """
    import torch

    with torch.set_grad_enabled(create_graph):
        (reading,) = model.read(images, [depth])
        return ATTRIBUTIONS[method](reading, classes)
