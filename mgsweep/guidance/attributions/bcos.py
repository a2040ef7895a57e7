"""Contributions in a dynamic-linear network (Böhle et al., CVPR 2022, arXiv 2205.10268)."""

from __future__ import annotations

from torch import Tensor

from mgsweep.guidance.attributions.ixg import ixg
from mgsweep.guidance.contracts import Classifier


def bcos(model: Classifier, features: Tensor, scores: Tensor, create_graph: bool) -> Tensor:
    """What each position adds to the score W(x) x: maps (B, h, w) that sum to the scores (B,) minus the logit bias.

    With `create_graph` the maps are differentiable through W(x), not only through x.
    """
    with model.explaining():
        return ixg(model, features, scores, create_graph)
