"""Input x gradient (Shrikumar et al. 2017, arXiv 1605.01713)."""

from __future__ import annotations

import torch
from torch import Tensor

from mgsweep.guidance.contracts import Classifier


def ixg(model: Classifier, features: Tensor, scores: Tensor, create_graph: bool) -> Tensor:
    """The sum over channels of features (B, K, h, w) times the gradient of scores (B,): maps (B, h, w).

    The graph of `scores` is kept, so other classes of the same images can be explained from it.
    """
    (gradient,) = torch.autograd.grad(scores.sum(), features, create_graph=create_graph, retain_graph=True)
    maps = (features * gradient).sum(1)
    return maps if create_graph else maps.detach()
