"""Integrated gradients (Sundararajan et al. 2017, arXiv 1703.01365) of a homogeneous network."""

from __future__ import annotations

from torch import Tensor

from mgsweep.guidance.attributions.ixg import ixg
from mgsweep.guidance.reading import Reading


def intgrad(reading: Reading, classes: Tensor) -> Tensor:
    """Integrated gradients from the zero baseline, exact from one gradient: maps (B, h, w).

    With f(a x) = a f(x) + bias for a > 0, differentiating by x gives a f'(a x) = a f'(x): the gradient is the same
    along the whole ray from zero to x. So the path integral x * int_0^1 f'(a x) da is x * f'(x), input x gradient
    (Hesse et al. 2021, arXiv 2111.07668). For the encoded image, zero is an image of ImageNet's mean colour.
    """
    return ixg(reading, classes)
