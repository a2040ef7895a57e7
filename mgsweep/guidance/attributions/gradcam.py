"""Grad-CAM (Selvaraju et al. 2017, arXiv 1610.02391)."""

from __future__ import annotations

import torch
from torch import Tensor

from mgsweep.guidance.contracts import Classifier


def gradcam(model: Classifier, features: Tensor, scores: Tensor, create_graph: bool) -> Tensor:
    """relu(sum_k w_k f_k) with w_k the spatial mean of the gradient of scores (B,) by channel k: maps (B, h, w).

    The gradient is the full one on every network: a B-cos network's dynamic weights are differentiated too.
    """
    (gradient,) = torch.autograd.grad(scores.sum(), features, create_graph=create_graph, retain_graph=True)
    maps = (features * gradient.mean((2, 3), keepdim=True)).sum(1).relu()
    return maps if create_graph else maps.detach()
