"""What a model hands to an attribution: a forward pass that can be carried back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Reading:
    """A forward pass read at one depth, ready to be explained.

    It is differentiable by the parameters if gradients were enabled when it was made, and then keeps the graph they
    need; otherwise an explanation costs a pullback and no graph at all.
    """

    logits: Tensor
    """(B, C)."""
    features: Tensor
    """(B, K, h, w) at the depth; the encoded images at `input`."""
    pull: Callable[[Tensor], Tensor]
    """Gradient by the logits (B, C) -> gradient by the features (B, K, h, w)."""
    explaining: Callable[[], AbstractContextManager[None]]

    def gradient(self, classes: Tensor, constant_weights: bool = False) -> Tensor:
        """Gradient (B, K, h, w) of the sum of the scores of `classes` (B,) by the features.

        Args:
            constant_weights: treat the dynamic weights of a dynamic-linear network as constants.
        """
        chosen = torch.zeros_like(self.logits).scatter(1, classes[:, None], 1.0)
        with self.explaining() if constant_weights else nullcontext():
            return self.pull(chosen)
