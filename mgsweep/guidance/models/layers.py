"""Layers that know their own adjoint, so that an attribution is an ordinary forward computation.

A guidance loss needs the gradient of a score by features, and then the derivative of that gradient by the parameters.
Written with `autograd.grad(create_graph=True)` this differentiates every backward kernel of PyTorch a second time.
Here each layer says how it carries a gradient back, in operations that are themselves differentiable: a step then needs
a single ordinary backward, and an evaluation none at all.

To add a layer or a block, write its `vjp`, nothing else: the output, and a function that takes the gradient by the
output to the gradient by the input. A block hardly has formulas of its own: `chain`, `add` and `after` put it together.
A ResNet's is

    residual = chain(x, self.conv1, self.bn1, self.relu, self.conv2, self.bn2)
    return after(add(residual, self.downsample.vjp(x)), self.relu)

Two mistakes raise no error, but fail the tests, which compare every registered network with plain double backward in
double precision:
- The pullback detaches what depends on the parameters, such as dynamic weights or the statistics of a batch. Only what
  has no derivative is a constant: which side of a ReLU a value lies on, where in its window a maximum was.
- A B-cos layer does not ask for its mode. While that is active, the pullback multiplies by the dynamic weights as if
  they did not depend on `x`.

Where one `autograd.Function` saves passes over memory, as in batch norm, it needs a single derivative: no step takes a
second one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Pullback = Callable[[Tensor], Tensor]
"""Takes the gradient by a layer's output to the gradient by its input, differentiably."""


class Layer(nn.Module, ABC):
    """A module whose forward is the first half of its `vjp`."""

    factors: torch.dtype | None = None
    """What a convolution rounds its factors to, if to anything; set by `guidance.precision`."""

    @abstractmethod
    def vjp(self, x: Tensor) -> tuple[Tensor, Pullback]:
        """The output for `x`, and its pullback (vector-Jacobian product), which may be called more than once."""

    def forward(self, input: Tensor) -> Tensor:
        """The output for `input`."""
        return self.vjp(input)[0]


def chain(x: Tensor, *layers: Layer) -> tuple[Tensor, Pullback]:
    """`vjp` of layers one after the other."""
    pulls = []
    for layer in layers:
        x, pull = layer.vjp(x)
        pulls.append(pull)
    return x, composed(pulls)


def composed(pulls: Sequence[Pullback]) -> Pullback:
    """The pullback of steps one after the other."""

    def pullback(gradient: Tensor) -> Tensor:
        for pull in reversed(pulls):
            gradient = pull(gradient)
        return gradient

    return pullback


def after(before: tuple[Tensor, Pullback], layer: Layer) -> tuple[Tensor, Pullback]:
    """`vjp` of a layer behind what has been computed."""
    x, pull = before
    out, pull_layer = layer.vjp(x)
    return out, lambda gradient: pull(pull_layer(gradient))


def add(residual: tuple[Tensor, Pullback], shortcut: tuple[Tensor, Pullback]) -> tuple[Tensor, Pullback]:
    """`vjp` of the sum of two branches from the same input."""
    (out, through_residual), (skipped, through_shortcut) = residual, shortcut
    return out + skipped, lambda gradient: through_residual(gradient) + through_shortcut(gradient)


class Chain(Layer, nn.Sequential):
    """Layers one after the other, named by their position."""

    def vjp(self, x: Tensor) -> tuple[Tensor, Pullback]:
        return chain(x, *(cast("Layer", layer) for layer in self))


class Identity(Layer, nn.Identity):
    """Nothing."""

    def vjp(self, x: Tensor) -> tuple[Tensor, Pullback]:
        return x, lambda gradient: gradient


class Conv2d(Layer, nn.Conv2d):
    """A convolution without bias that keeps the size but for its stride."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int) -> None:
        super().__init__(channels, out, kernel, stride, padding=kernel // 2, bias=False)

    def vjp(self, x: Tensor) -> tuple[Tensor, Pullback]:
        return multiply(x, self.weight, self), lambda gradient: multiply_back(gradient, self.weight, x.shape, self)


def rounded(x: Tensor, layer: Layer) -> Tensor:
    """`x` as the layer is to multiply it."""
    return x if layer.factors is None else x.to(layer.factors)


def multiply(x: Tensor, weight: Tensor, layer: Conv2d) -> Tensor:
    """The convolution of `x` by `weight`, with the stride and padding of `layer`."""
    return F.conv2d(rounded(x, layer), rounded(weight, layer), None, layer.stride, layer.padding).to(x.dtype)


def multiply_back(gradient: Tensor, weight: Tensor, shape: torch.Size, layer: Conv2d) -> Tensor:
    """Back through `multiply` goes the transposed convolution, to exactly the shape of `x`."""
    padding = cast("tuple[int, int]", layer.padding)
    covered = [
        (size - 1) * s - 2 * p + k
        for size, s, p, k in zip(gradient.shape[2:], layer.stride, padding, weight.shape[2:], strict=True)
    ]
    rest = [size - c for size, c in zip(shape[2:], covered, strict=True)]
    factors = rounded(gradient, layer), rounded(weight, layer)
    return F.conv_transpose2d(*factors, None, layer.stride, padding, rest).to(gradient.dtype)


def multiply_gradients(
    gradient: Tensor, x: Tensor, weight: Tensor, layer: Conv2d, wanted: Sequence[bool]
) -> tuple[Tensor | None, Tensor | None]:
    """Gradients of `multiply` by `x` and `weight`, where `wanted`."""
    factors = [rounded(factor, layer) for factor in (gradient, x, weight)]
    geometry = (layer.stride, layer.padding, [1, 1], False, [0, 0], 1)
    found = torch.ops.aten.convolution_backward(*factors, None, *geometry, [*wanted[:2], False])
    to_x, to_weight = (part if part is None else part.to(x.dtype) for part in found[:2])
    return to_x, to_weight


class ReLU(Layer, nn.ReLU):
    """max(x, 0)."""

    def vjp(self, x: Tensor) -> tuple[Tensor, Pullback]:
        out = F.relu(x)
        return out, lambda gradient: torch.ops.aten.threshold_backward(gradient, out.detach(), 0)


class MaxPool2d(Layer, nn.MaxPool2d):
    """The maximum of windows; a gradient goes where the maximum was."""

    def vjp(self, x: Tensor) -> tuple[Tensor, Pullback]:
        window = (
            _pair(self.kernel_size),
            _pair(self.stride),
            _pair(self.padding),
            _pair(self.dilation),
            self.ceil_mode,
        )
        out, places = torch.ops.aten.max_pool2d_with_indices(x, *window)
        like = x.detach()
        return out, lambda gradient: torch.ops.aten.max_pool2d_with_indices_backward(gradient, like, *window, places)


class AvgPool2d(Layer, nn.AvgPool2d):
    """The mean of windows."""

    def vjp(self, x: Tensor) -> tuple[Tensor, Pullback]:
        return average(x, self.kernel_size, self.stride, self.padding)


def average(x: Tensor, kernel: Any, stride: Any, padding: Any) -> tuple[Tensor, Pullback]:
    """`vjp` of the mean of windows; padding counts as zeros."""
    window = (_pair(kernel), _pair(stride), _pair(padding), False, True, None)
    like = x.detach()
    return (
        torch.ops.aten.avg_pool2d(x, *window),
        lambda gradient: torch.ops.aten.avg_pool2d_backward(gradient, like, *window),
    )


def _pair(value: Any) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value)


class BatchNorm2d(Layer, nn.BatchNorm2d):
    """Batch norm. In training mode its statistics depend on the input, and so does its adjoint."""

    def vjp(self, x: Tensor) -> tuple[Tensor, Pullback]:
        running = (cast("Tensor", self.running_mean), cast("Tensor", self.running_var))
        if not self.training:
            scale = (self.weight * (running[1] + self.eps).rsqrt())[:, None, None]
            out = F.batch_norm(x, *running, self.weight, self.bias, False, 0.0, self.eps)
            return out, lambda gradient: gradient * scale
        cast("Tensor", self.num_batches_tracked).add_(1)
        out, mean, invstd = torch.native_batch_norm(
            x, self.weight, self.bias, *running, True, cast("float", self.momentum), self.eps
        )
        statistics = (mean.detach(), invstd.detach())
        return out, lambda gradient: _NormAdjoint.apply(gradient, x, self.weight, *statistics, self.eps)  # type: ignore[no-untyped-call]


class _NormAdjoint(torch.autograd.Function):
    """The gradient by the input of batch norm in training mode, and its own derivative in few passes over memory.

    With per-channel means m, the normalised input n, r = 1 / std and weight w, a gradient g by the output becomes
    N(g) = w r (g - m(g) - n m(g n)). N is its own adjoint in g; by x its derivative against h is
    -w r^2 [m(g n) (h - m(h)) + m(h n) (g - m(g)) + n (m(h g) - m(h) m(g) - 3 m(h n) m(g n))].
    PyTorch's double backward takes some 90 passes over the activations for this; its own kernels, which form a
    gradient and two reductions in one, do most of it here.
    """

    @staticmethod
    def forward(ctx: Any, g: Tensor, x: Tensor, weight: Tensor, mean: Tensor, r: Tensor, eps: float) -> Tensor:
        gn, m_g = norm_means(g, x, mean, r, eps)
        ctx.save_for_backward(g, x, weight, mean, r, gn, m_g)
        ctx.eps = eps
        return _norm_adjoint(g, x, weight * r, mean, r, gn, m_g)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, h: Tensor) -> tuple[Tensor | None, ...]:
        g, x, weight, mean, r, gn, m_g = ctx.saved_tensors
        hn, m_h = norm_means(h, x, mean, r, ctx.eps)
        # With mean 0 and deviation 1 the kernel's reduction of h * n is that of h * g: no product has to be stored.
        hg, _ = norm_means(h, g, torch.zeros_like(mean), torch.ones_like(r), ctx.eps)
        to_g = _norm_adjoint(h, x, weight * r, mean, r, hn, m_h)
        cross = hg - m_h * m_g
        along_n = cross - 3 * gn * hn
        scale = -weight * r.square()
        constant = -(gn * m_h + hn * m_g + along_n * r * mean)
        to_x = torch.addcmul(spread(scale * constant), h, spread(scale * gn))
        to_x.addcmul_(g, spread(scale * hn)).addcmul_(x, spread(scale * along_n * r))
        return to_g, to_x, r * (cross - gn * hn) * (x.numel() // x.shape[1]), None, None, None


def _norm_adjoint(g: Tensor, x: Tensor, scale: Tensor, mean: Tensor, r: Tensor, gn: Tensor, m_g: Tensor) -> Tensor:
    """scale (g - m(g) - n m(g n))."""
    slope = -scale * r * gn
    return torch.addcmul(spread(-scale * m_g - slope * mean), x, spread(slope)).addcmul_(g, spread(scale))


def norm_means(g: Tensor, x: Tensor, mean: Tensor, r: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Means of g n and of g by channel, in one pass over both: the first half of the backward of PyTorch's norm."""
    _, of_gn, of_g = torch.ops.aten.native_batch_norm_backward(
        g, x, None, None, None, mean, r, True, eps, [False, True, True]
    )
    count = x.numel() // x.shape[1]
    return of_gn / count, of_g / count


def spread(channels: Tensor) -> Tensor:
    """One number for each channel (K,), as (K, 1, 1): to go with maps (B, K, h, w)."""
    return channels[:, None, None]


class PooledLinear(Layer, nn.Linear):
    """Features (B, K, h, w) -> logits (B, C): a linear layer on their spatial mean."""

    def vjp(self, features: Tensor) -> tuple[Tensor, Pullback]:
        shape, area = features.shape, features.shape[2] * features.shape[3]
        out = F.linear(features.mean((2, 3)), self.weight, self.bias)
        return out, lambda gradient: (gradient @ self.weight / area)[:, :, None, None].expand(shape)
