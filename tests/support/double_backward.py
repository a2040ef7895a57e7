"""The referee of the adjoints: attributions by PyTorch's own double backward, as the published code makes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

from mgsweep.guidance.contracts import DEPTHS
from mgsweep.guidance.models.bcos_layers import BatchNormUncentered2d, BcosConv2d, BcosHead
from mgsweep.guidance.models.classifier import Classifier
from mgsweep.guidance.models.vit import Attention, BcosLinear, LayerNorm


def features_and_logits(model: Classifier, images: Tensor, depth: str) -> tuple[Tensor, Tensor]:
    """Features at a depth and the logits that follow from them, in one graph."""
    steps, cut = model.network.steps(), DEPTHS.index(depth)
    features = model.encoding(images)
    for step in steps[:cut]:
        for layer in step:
            features = layer(features)
    features = features if features.requires_grad else features.detach().requires_grad_()
    logits = features
    for step in steps[cut:]:
        for layer in step:
            logits = layer(logits)
    return features, logits


def _contributions(features: Tensor, gradient: Tensor) -> Tensor:
    return (features * gradient).sum(1)


def _gradcam(features: Tensor, gradient: Tensor) -> Tensor:
    return (features * gradient.mean((2, 3), keepdim=True)).sum(1).relu()


PLAIN = {"ixg": _contributions, "intgrad": _contributions, "bcos": _contributions, "gradcam": _gradcam}
"""Maps (B, h, w) of each attribution, from features (B, C, h, w) and the gradient of the class's logit by them."""


def guided(model: Classifier, images: Tensor, classes: Tensor, method: str, depth: str) -> tuple[Tensor, Tensor]:
    """Logits (B, C) and differentiable maps (B, h, w) of a method, from one forward pass.

    Raises:
        LookupError: the method is not in `PLAIN`.
    """
    if method not in PLAIN:
        raise LookupError(f"no plain form of the attribution {method!r} to compare with; add it to PLAIN in {__file__}")
    with gate() as explanation:
        features, logits = features_and_logits(model, images, depth)
        scores = logits.gather(1, classes[:, None]).sum()
        explanation["active"] = method == "bcos"
        (gradient,) = torch.autograd.grad(scores, features, create_graph=True)
        explanation["active"] = False
    return logits, PLAIN[method](features, gradient)


@contextmanager
def gate() -> Iterator[dict[str, bool]]:
    """While open, B-cos layers are plain operations, multiplied through a gate.

    It holds their dynamic weights constant in a backward that runs while it is active. Running statistics stay.
    """
    state = {"active": False}

    class Product(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, weights: Tensor, x: Tensor) -> Tensor:
            ctx.save_for_backward(weights, x)
            return weights * x

        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor]:
            weights, x = ctx.saved_tensors
            to_weights = None if state["active"] else (gradient * x).sum_to_size(weights.shape)
            return to_weights, gradient * weights

    class Held(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, weights: Tensor) -> Tensor:
            return weights.clone()

        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> Tensor | None:
            return None if state["active"] else gradient

    def linear(layer: BcosLinear, x: Tensor) -> Tensor:
        weight = layer.linear.weight
        out = x @ (weight / weight.norm(dim=1, keepdim=True)).T
        return Held.apply(out.abs() / (x.norm(dim=-1, keepdim=True) + 1e-12)) * out

    def layer_norm(layer: LayerNorm, x: Tensor) -> Tensor:
        over = (1, 2, 3) if layer.maps else (-1,)
        spread = Held.apply((x.var(over, correction=0, keepdim=True) + 1e-5).sqrt())
        return (x - x.mean(over, keepdim=True)) / spread * layer.weight.reshape(-1, *(1, 1) * layer.maps)

    def attention(layer: Attention, x: Tensor) -> Tensor:
        queries, keys, values = layer.to_qkv(layer.norm(x)).unflatten(-1, (3, 6, 64)).unbind(2)
        weights = Held.apply((torch.einsum("bihd,bjhd->bhij", queries, keys) / 8).softmax(-1))
        return layer.to_out(torch.einsum("bhij,bjhd->bihd", weights, values).flatten(2))

    def convolution(layer: BcosConv2d, x: Tensor) -> Tensor:
        weight, kernel = layer.linear.weight, layer.linear.kernel_size
        unit = weight / weight.flatten(1).norm(dim=1)[:, None, None, None]
        linear = torch.nn.functional.conv2d(x, unit, None, layer.linear.stride, layer.linear.padding)
        window = (kernel, layer.linear.stride, layer.linear.padding)
        squares = torch.nn.functional.avg_pool2d(x.square().sum(1, keepdim=True), *window) * (kernel[0] * kernel[1])
        return Product.apply(linear.abs() / (squares + 1e-6).sqrt(), linear)

    def head(layer: BcosConv2d, x: Tensor) -> Tensor:
        return convolution(layer, x).mean((2, 3))

    def norm(layer: BatchNormUncentered2d, x: Tensor) -> Tensor:
        variance = x.var((0, 2, 3), correction=0) if layer.training else layer.running_var
        return Product.apply((layer.weight / (variance + layer.eps).sqrt())[:, None, None], x)

    with pytest.MonkeyPatch.context() as patch:
        plain = {BcosConv2d: convolution, BcosHead: head, BatchNormUncentered2d: norm}
        plain |= {BcosLinear: linear, LayerNorm: layer_norm, Attention: attention}
        for kind, forward in plain.items():
            patch.setattr(kind, "vjp", lambda layer, x, forward=forward: (forward(layer, x), None))
        yield state
