"""Input x gradient (Shrikumar et al. 2017, arXiv 1605.01713)."""

from __future__ import annotations

from torch import Tensor

from mgsweep.guidance.reading import Reading


def ixg(reading: Reading, classes: Tensor) -> Tensor:
    """The sum over channels of the features times the gradient of the classes' scores: maps (B, h, w)."""
    return (reading.features * reading.gradient(classes)).sum(1)
