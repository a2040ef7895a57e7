"""Contributions in a dynamic-linear network (Böhle et al., CVPR 2022, arXiv 2205.10268)."""

from __future__ import annotations

from torch import Tensor

from mgsweep.guidance.reading import Reading


def bcos(reading: Reading, classes: Tensor) -> Tensor:
    """What each position adds to the score W(x) x: maps (B, h, w) that sum to the scores minus the logit bias.

    W(x) is a constant to the gradient by x, not to a later derivative of the maps by the parameters.
    """
    return (reading.features * reading.gradient(classes, constant_weights=True)).sum(1)
