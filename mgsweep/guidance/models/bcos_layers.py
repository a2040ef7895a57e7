"""B-cos layers: linear maps whose weights depend on the input, so that a network's output is W(x) x.

The idea and the form of the layers are those of B-cos v2 (Böhle, Singh, Fritz, Schiele: B-cos Alignment for Inherently
Interpretable CNNs and Vision Transformers, TPAMI 2024, arXiv 2306.10898; their code is under Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPSILON = 1e-6
"""Added to the squared norm of a patch, as in the published networks."""


class ExplanationMode:
    """Whether gradients treat the dynamic weights of one network as constants; all its layers share one.

    A plain attribute rather than a thread-local: CUDA runs a backward pass on threads of its own.
    """

    def __init__(self) -> None:
        self.active = False

    @contextmanager
    def open(self) -> Iterator[None]:
        """Active inside; afterwards as before, whatever happened."""
        before, self.active = self.active, True
        try:
            yield
        finally:
            self.active = before


class _DynamicProduct(torch.autograd.Function):
    """`weights * x`, whose gradient skips `weights` if the mode is active when the *backward* runs.

    So one forward pass serves the loss and the explanation. The backward pass is ordinary differentiable arithmetic on
    tensors that still know where they came from: an explanation made with `create_graph` can be differentiated again,
    through the dynamic weights too. Detaching them in the forward pass would lose that part of a guidance gradient.
    """

    @staticmethod
    def forward(ctx: Any, weights: Tensor, x: Tensor, mode: ExplanationMode) -> Tensor:
        ctx.save_for_backward(weights, x)
        ctx.mode = mode
        return weights * x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None]:
        weights, x = ctx.saved_tensors
        to_weights = None if ctx.mode.active else (gradient * x).sum_to_size(weights.shape)
        return to_weights, gradient * weights, None


def dynamic_product(weights: Tensor, x: Tensor, mode: ExplanationMode) -> Tensor:
    """`weights * x` with `weights` constant to an explanation; `weights` may broadcast to the shape of `x`."""
    return cast("Tensor", _DynamicProduct.apply(weights, x, mode))  # type: ignore[no-untyped-call]


class UnitConv2d(nn.Conv2d):
    """A convolution by kernels scaled to unit length."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, K, h, w) -> (B, out, h', w')."""
        unit = self.weight / torch.linalg.vector_norm(self.weight, dim=(1, 2, 3), keepdim=True)
        return F.conv2d(x, unit, None, self.stride, self.padding)


class BcosConv2d(nn.Module):
    """A B-cos convolution with B = 2: the answer of a unit kernel, scaled by |cos| of its angle to the patch."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int, mode: ExplanationMode) -> None:
        super().__init__()
        self.linear = UnitConv2d(channels, out, kernel, stride, padding=kernel // 2, bias=False)
        self.mode = mode

    def forward(self, x: Tensor) -> Tensor:
        """(B, K, h, w) -> (B, out, h', w')."""
        linear: Tensor = self.linear(x)
        return dynamic_product(linear.abs() / self.patch_norms(x), linear, self.mode)

    def patch_norms(self, x: Tensor) -> Tensor:
        """Length (B, 1, h', w') of the patch of `x` (B, K, h, w) under the kernel at every position."""
        kernel, stride, padding = self.linear.kernel_size, self.linear.stride, self.linear.padding
        squares = x.square().sum(1, keepdim=True)
        means = F.avg_pool2d(squares, kernel, stride, cast("tuple[int, int]", padding))
        return (means * (kernel[0] * kernel[1]) + EPSILON).sqrt()


class BatchNormUncentered2d(nn.BatchNorm2d):
    """Batch norm that divides by the standard deviation but adds and subtracts nothing, so it stays dynamic-linear.

    Its running mean is never used; published checkpoints hold one.
    """

    def __init__(self, channels: int, mode: ExplanationMode) -> None:
        super().__init__(channels, bias=False)
        self.mode = mode

    def forward(self, x: Tensor) -> Tensor:
        """(B, K, h, w) -> (B, K, h, w)."""
        scale = self.weight / (self._variance(x) + self.eps).sqrt()
        return dynamic_product(scale[:, None, None], x, self.mode)

    def _variance(self, x: Tensor) -> Tensor:
        running = cast("Tensor", self.running_var)
        if not self.training:
            return running
        variance = x.var((0, 2, 3), correction=0)
        running.lerp_(variance.detach(), cast("float", self.momentum))
        cast("Tensor", self.num_batches_tracked).add_(1)
        return variance


class BcosHead(BcosConv2d):
    """Features (B, K, h, w) -> class scores (B, C): a 1x1 B-cos convolution, then its spatial mean."""

    def __init__(self, channels: int, classes: int, mode: ExplanationMode) -> None:
        super().__init__(channels, classes, 1, 1, mode)

    def forward(self, features: Tensor) -> Tensor:
        """(B, K, h, w) -> (B, C)."""
        return super().forward(features).mean((2, 3))
