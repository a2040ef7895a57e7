"""Grad-CAM (Selvaraju et al. 2017, arXiv 1610.02391)."""

from __future__ import annotations

from torch import Tensor

from mgsweep.guidance.reading import Reading


def gradcam(reading: Reading, classes: Tensor) -> Tensor:
    """relu(sum_k w_k f_k) with w_k the spatial mean of the gradient of the score by channel k: maps (B, h, w).

    The gradient is the full one on every network: a B-cos network's dynamic weights are differentiated too.
    """
    weights = reading.gradient(classes).mean((2, 3), keepdim=True)
    return (reading.features * weights).sum(1).relu()
