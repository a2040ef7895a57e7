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

from mgsweep.guidance.models.layers import Conv2d, Layer, Pullback, average, convolve, norm_backward

EPSILON = 1e-6
"""Added to the squared norm of a patch, as in the published networks."""


class ExplanationMode:
    """Whether pullbacks treat the dynamic weights of one network as constants; all its layers share one.

    So one forward pass serves the loss and the explanation. Constant means to the gradient by the input: a guidance
    loss on the explanation still differentiates it by the parameters through the dynamic weights, as published.
    Detaching them would lose that part.
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


class _Cosine(torch.autograd.Function):
    """The dynamic weights w = |linear| / norms, and what they make of `linear`: (w linear, w).

    One function, as its backward takes half the passes over memory that its parts would.
    """

    @staticmethod
    def forward(ctx: Any, linear: Tensor, norms: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(linear, norms)
        ctx.set_materialize_grads(False)  # a standard step has no gradient by the weights
        weights = linear.abs().div_(norms)
        return weights * linear, weights

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor | None, to_weights: Tensor | None) -> tuple[Tensor, Tensor]:
        linear, norms = ctx.saved_tensors
        weights = linear.abs().div_(norms)
        weighted = weights * gradient if gradient is not None else torch.zeros_like(weights)
        along_norms = weighted * linear
        to_linear = weighted.mul_(2)
        if to_weights is not None:
            along_norms.addcmul_(to_weights, weights)
            to_linear.addcdiv_(linear.sign().mul_(to_weights), norms)
        return to_linear, along_norms.sum(1, keepdim=True).div_(norms).neg_()


def _scaled_by_cosine(linear: Tensor, norms: Tensor) -> tuple[Tensor, Tensor]:
    return cast("tuple[Tensor, Tensor]", _Cosine.apply(linear, norms))  # type: ignore[no-untyped-call]


class _UncenteredNorm(torch.autograd.Function):
    """x scaled by s = weight / std, as (x s, s, variance); differentiable through the first two.

    With N the gradient of an ordinary batch norm, n the normalised input, r = 1 / std and m means by channel, that of
    x s is N(g) + weight r m(g) (1 - r mean n).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        variance, mean = torch.var_mean(x, (0, 2, 3), correction=0)
        r = (variance + eps).rsqrt()
        scale = weight * r
        ctx.save_for_backward(x, weight, mean, r)
        ctx.mark_non_differentiable(variance)
        ctx.eps = eps
        return x * _spread(scale), scale, variance

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor, to_scale: Tensor, _: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight, mean, r = ctx.saved_tensors
        count = x.numel() // x.shape[1]
        to_x, sum_gn, sum_g = norm_backward(gradient, x, weight, mean, r, ctx.eps)
        of_mean = weight * r * sum_g / count
        slope = -(of_mean * mean + to_scale * weight * r / count) * r.square()
        to_x.addcmul_(x, _spread(slope)).add_(_spread(of_mean - mean * slope))
        return to_x, sum_gn + r * (mean * sum_g + to_scale), None


def _uncentered_norm(x: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    return cast("tuple[Tensor, Tensor, Tensor]", _UncenteredNorm.apply(x, weight, eps))  # type: ignore[no-untyped-call]


def _spread(channels: Tensor) -> Tensor:
    return channels[:, None, None]


class BcosConv2d(Layer):
    """A B-cos convolution with B = 2: the answer of a unit kernel, scaled by |cos| of its angle to the patch."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int, mode: ExplanationMode) -> None:
        super().__init__()
        self.linear = Conv2d(channels, out, kernel, stride)
        self.mode = mode

    def vjp(self, x: Tensor) -> tuple[Tensor, Pullback]:
        """(B, K, h, w) -> (B, out, h', w')."""
        weight = self.linear.weight
        unit = weight / torch.linalg.vector_norm(weight, dim=(1, 2, 3), keepdim=True)
        linear, through_kernel = convolve(x, unit, self.linear.stride, self.linear.padding)
        norms, through_norms = self._patch_norms(x)

        out, dynamic = _scaled_by_cosine(linear, norms)

        def pullback(gradient: Tensor) -> Tensor:
            weighted = gradient * dynamic
            if self.mode.active:
                return through_kernel(weighted)
            return through_kernel(2 * weighted) - through_norms((weighted * linear).sum(1, keepdim=True) / norms)

        return out, pullback

    def _patch_norms(self, x: Tensor) -> tuple[Tensor, Pullback]:
        """`vjp` of the length (B, 1, h', w') of the patch of `x` under the kernel at every position."""
        kernel, stride, padding = self.linear.kernel_size, self.linear.stride, self.linear.padding
        area = kernel[0] * kernel[1]
        means, through_means = average(x.square().sum(1, keepdim=True), kernel, stride, padding)
        norms = (means * area + EPSILON).sqrt()
        return norms, lambda gradient: through_means(gradient * area / norms) * x


class BatchNormUncentered2d(Layer, nn.BatchNorm2d):
    """Batch norm that divides by the standard deviation but adds and subtracts nothing, so it stays dynamic-linear.

    Its running mean is never used; published checkpoints hold one.
    """

    def __init__(self, channels: int, mode: ExplanationMode) -> None:
        super().__init__(channels, bias=False)
        self.mode = mode

    def vjp(self, x: Tensor) -> tuple[Tensor, Pullback]:
        """(B, K, h, w) -> (B, K, h, w)."""
        running = cast("Tensor", self.running_var)
        if not self.training:
            scale = _spread(self.weight * (running + self.eps).rsqrt())
            return x * scale, lambda gradient: gradient * scale
        out, scale, variance = _uncentered_norm(x, self.weight, self.eps)
        running.lerp_(variance, cast("float", self.momentum))
        cast("Tensor", self.num_batches_tracked).add_(1)

        def pullback(gradient: Tensor) -> Tensor:
            if self.mode.active:
                return gradient * _spread(scale)
            variance, mean = torch.var_mean(x, (0, 2, 3), correction=0)
            share = (gradient * x).mean((0, 2, 3)) / (variance + self.eps)
            return _spread(scale) * (gradient - (x - _spread(mean)) * _spread(share))

        return out, pullback


class BcosHead(BcosConv2d):
    """Features (B, K, h, w) -> class scores (B, C): a 1x1 B-cos convolution, then its spatial mean."""

    def __init__(self, channels: int, classes: int, mode: ExplanationMode) -> None:
        super().__init__(channels, classes, 1, 1, mode)

    def vjp(self, features: Tensor) -> tuple[Tensor, Pullback]:
        """(B, K, h, w) -> (B, C)."""
        scores, through_conv = super().vjp(features)
        area = scores.shape[2] * scores.shape[3]
        return scores.mean((2, 3)), lambda gradient: through_conv(
            (gradient / area)[:, :, None, None].expand(scores.shape)
        )


class LogitBias(Layer):
    """A constant added to every logit."""

    def __init__(self, bias: float) -> None:
        super().__init__()
        self.bias = bias

    def vjp(self, x: Tensor) -> tuple[Tensor, Pullback]:
        """(B, C) -> (B, C)."""
        return x + self.bias, lambda gradient: gradient
