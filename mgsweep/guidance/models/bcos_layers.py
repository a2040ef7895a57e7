"""B-cos layers: linear maps whose weights depend on the input, so that a network's output is W(x) x.

The idea and the form of the layers are those of B-cos v2 (Böhle, Singh, Fritz, Schiele: B-cos Alignment for Inherently
Interpretable CNNs and Vision Transformers, TPAMI 2024, arXiv 2306.10898; their code is under Apache-2.0).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mgsweep.guidance.models.layers import (
    Conv2d,
    Layer,
    Pullback,
    multiply,
    multiply_back,
    multiply_gradients,
    norm_means,
    spread,
)

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
    def open(self, active: bool = True) -> Iterator[None]:
        """Active inside, or not; afterwards as before, whatever happened."""
        before, self.active = self.active, active
        try:
            yield
        finally:
            self.active = before


class _UnitKernels(torch.autograd.Function):
    """Kernels (out, in, k, k) divided by their lengths; of a gradient passes what is orthogonal to them, so divided."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(weight, dim=(1, 2, 3), keepdim=True)
        unit: Tensor = weight / length
        ctx.save_for_backward(unit, length)
        return unit

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        unit, length = ctx.saved_tensors
        along = (gradient * unit).sum((1, 2, 3), keepdim=True)
        return torch.addcmul(gradient, unit, along, value=-1).div_(length)


class _Cosine(torch.autograd.Function):
    """Features `x` under unit kernels, scaled by |cos|: (w linear, w, linear, norms), all of them differentiable.

    `linear` is the convolution, `norms` (B, 1, h', w') are the lengths of the patches of `x`, and w = |linear| / norms
    the dynamic weights. One function, as its backward takes a third of the passes over memory that its parts would.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, unit: Tensor, layer: Conv2d) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        linear = multiply(x, unit, layer)
        norms = _over_patches(torch.linalg.vector_norm(x, dim=1, keepdim=True).square_(), layer).add_(EPSILON).sqrt_()
        ctx.save_for_backward(x, unit, linear, norms)
        ctx.layer = layer
        ctx.set_materialize_grads(False)  # a standard step has a gradient by the first only
        weights = linear.abs().div_(norms)
        return weights * linear, weights, linear, norms

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, Tensor | None, None]:
        x, unit, linear, norms = ctx.saved_tensors
        to_linear, to_norms = _through_cosine(linear, norms, *gradients)
        to_x, to_unit = multiply_gradients(to_linear, x, unit, ctx.layer, ctx.needs_input_grad)
        if to_x is not None:
            to_x.addcmul_(x, _from_patches(to_norms.div_(norms), x, ctx.layer))
        return to_x, to_unit, None


def _through_cosine(
    linear: Tensor,
    norms: Tensor,
    gradient: Tensor | None,
    to_weights: Tensor | None,
    to_linear: Tensor | None,
    to_norms: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Gradients by `linear` and `norms`, from those by the product w linear, by w, and by the two themselves."""
    if to_weights is None:
        twice = linear.abs().div_(norms / 2)
        by_linear = twice.mul_(gradient) if gradient is not None else twice.zero_()
        along = (by_linear * linear).sum(1, keepdim=True).div_(2)
    else:
        product = torch.addcmul(to_weights, gradient, linear, value=2) if gradient is not None else to_weights.clone()
        by_linear = linear.sign().mul_(product).div_(norms)
        along = product.add_(to_weights).mul_(linear.abs()).sum(1, keepdim=True).div_(norms * 2)
    by_norms = along.div_(norms).neg_()
    return (
        by_linear if to_linear is None else by_linear.add_(to_linear),
        by_norms if to_norms is None else by_norms.add_(to_norms),
    )


class _UncenteredNorm(torch.autograd.Function):
    """x scaled by s = weight / std, as (x s, s, variance); differentiable through the first two.

    With r = 1 / std and means m by channel, the gradient g by x s and h by s become
    s g - r^3 (weight m(g x) + weight h / count) (x - mean x).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        mean, variance = torch.batch_norm_update_stats(x, None, None, 0.0)  # several times faster than var_mean
        r = (variance + eps).rsqrt()
        scale = weight * r
        ctx.save_for_backward(x, weight, mean, r)
        ctx.mark_non_differentiable(variance)
        ctx.eps = eps
        return x * spread(scale), scale, variance

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor, to_scale: Tensor, _: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight, mean, r = ctx.saved_tensors
        gn, m_g = norm_means(gradient, x, mean, r, ctx.eps)
        count = x.numel() // x.shape[1]
        to_weight = r * ((gn / r + mean * m_g) * count + to_scale)
        slope = -to_weight * weight * r.square() / count
        to_x = torch.addcmul(spread(-slope * mean), x, spread(slope))
        return to_x.addcmul_(gradient, spread(weight * r)), to_weight, None


def _uncentered_norm(x: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    return cast("tuple[Tensor, Tensor, Tensor]", _UncenteredNorm.apply(x, weight, eps))  # type: ignore[no-untyped-call]


class BcosConv2d(Layer):
    """A B-cos convolution with B = 2: the answer of a unit kernel, scaled by |cos| of its angle to the patch."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int, mode: ExplanationMode) -> None:
        super().__init__()
        self.linear = Conv2d(channels, out, kernel, stride)
        self.mode = mode

    def vjp(self, x: Tensor) -> tuple[Tensor, Pullback]:
        """(B, K, h, w) -> (B, out, h', w')."""
        unit = cast("Tensor", _UnitKernels.apply(self.linear.weight))  # type: ignore[no-untyped-call]
        out, dynamic, linear, norms = _Cosine.apply(x, unit, self.linear)  # type: ignore[no-untyped-call]

        def pullback(gradient: Tensor) -> Tensor:
            weighted = gradient * dynamic
            if self.mode.active:
                return multiply_back(weighted, unit, x.shape, self.linear)
            by_norms = (weighted * linear).sum(1, keepdim=True) / norms.square()
            return multiply_back(2 * weighted, unit, x.shape, self.linear) - _from_patches(by_norms, x, self.linear) * x

        return out, pullback


def _over_patches(squares: Tensor, layer: Conv2d) -> Tensor:
    """Sums (B, 1, h', w') of squares (B, 1, h, w) over the patch under the kernel at every position."""
    padding = cast("tuple[int, int]", layer.padding)
    return F.avg_pool2d(squares, layer.kernel_size, layer.stride, padding) * math.prod(layer.kernel_size)


def _from_patches(gradient: Tensor, x: Tensor, layer: Conv2d) -> Tensor:
    """The adjoint of `_over_patches`, to the size of `x`."""
    window = (layer.kernel_size, layer.stride, layer.padding, False, True, None)
    gradient = gradient * math.prod(layer.kernel_size)
    return cast("Tensor", torch.ops.aten.avg_pool2d_backward(gradient, x.detach()[:, :1], *window))


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
            scale = spread(self.weight * (running + self.eps).rsqrt())
            return x * scale, lambda gradient: gradient * scale
        out, scale, variance = _uncentered_norm(x, self.weight, self.eps)
        running.lerp_(variance, cast("float", self.momentum))
        cast("Tensor", self.num_batches_tracked).add_(1)

        def pullback(gradient: Tensor) -> Tensor:
            if self.mode.active:
                return gradient * spread(scale)
            variance, mean = torch.var_mean(x, (0, 2, 3), correction=0)
            share = (gradient * x).mean((0, 2, 3)) / (variance + self.eps)
            return spread(scale) * (gradient - (x - spread(mean)) * spread(share))

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
