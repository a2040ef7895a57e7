"""The B-cos ViT-S with a convolutional stem of B-cos v2 (`vitc_s_patch1_14`).

A plain ViT (Beyer et al., arXiv 2205.01580) whose patches come from four strided convolutions (Xiao et al., NeurIPS
2021, arXiv 2106.14881), built of B-cos layers (Böhle et al., TPAMI 2024, arXiv 2306.10898; code under Apache-2.0). It
is dynamic-linear too: attention multiplies the values by weights that depend on the input, and to an explanation these
are constants like any others.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mgsweep.guidance.models.bcos_layers import BcosConv2d, ExplanationMode
from mgsweep.guidance.models.classifier import Network
from mgsweep.guidance.models.layers import Identity, Layer, Pullback, chain

STEM = (48, 96, 192, 384)
WIDTH, HEADS, INNER, ENCODERS = 384, 6, 1536, 11
TEMPERATURE = 10_000


class BcosLinear(Layer):
    """A B-cos layer with B = 2 on the last dimension: unit weights, scaled by |cos| of their angle to the input."""

    def __init__(self, channels: int, out: int, mode: ExplanationMode) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, out, bias=False)
        self.mode = mode

    def vjp(self, x: Tensor) -> tuple[Tensor, Pullback]:
        """(..., channels) -> (..., out)."""
        unit = self.linear.weight / torch.linalg.vector_norm(self.linear.weight, dim=1, keepdim=True)
        linear = F.linear(x, unit)
        norms = torch.linalg.vector_norm(x, dim=-1, keepdim=True) + 1e-12
        dynamic: Tensor = linear.abs() / norms

        def pullback(gradient: Tensor) -> Tensor:
            weighted = gradient * dynamic
            if self.mode.active:
                return F.linear(weighted, unit.T)
            along_x: Tensor = x * (weighted * linear).sum(-1, keepdim=True) / norms.square()
            return F.linear(2 * weighted, unit.T) - along_x

        return dynamic * linear, pullback


class LayerNorm(Layer):
    """Centred and divided by the standard deviation, without a bias: by position, or over a whole map of channels."""

    def __init__(self, channels: int, mode: ExplanationMode, maps: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.maps = maps
        self.mode = mode

    def vjp(self, x: Tensor) -> tuple[Tensor, Pullback]:
        """(B, N, channels), or (B, channels, h, w), to the same."""
        over = (1, 2, 3) if self.maps else (-1,)
        weight = self.weight[:, None, None] if self.maps else self.weight
        variance, mean = torch.var_mean(x, over, correction=0, keepdim=True)
        r = (variance + 1e-5).rsqrt()
        normed = (x - mean) * r

        def pullback(gradient: Tensor) -> Tensor:
            weighted = gradient * weight
            centred = weighted - weighted.mean(over, keepdim=True)
            if self.mode.active:
                return centred * r
            along: Tensor = normed * (weighted * normed).mean(over, keepdim=True)
            return (centred - along) * r

        return normed * weight, pullback


class Attention(Layer):
    """Self-attention behind its norm; in an explanation the attention weights are constants."""

    def __init__(self, mode: ExplanationMode) -> None:
        super().__init__()
        self.norm = LayerNorm(WIDTH, mode)
        self.to_qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.to_out = BcosLinear(WIDTH, WIDTH, mode)
        self.mode = mode

    def vjp(self, x: Tensor) -> tuple[Tensor, Pullback]:
        """(B, N, WIDTH) -> (B, N, WIDTH)."""
        x, through_norm = self.norm.vjp(x)
        queries, keys, values = (_split(part) for part in self.to_qkv(x).chunk(3, -1))
        scale = (WIDTH // HEADS) ** -0.5
        attention = (queries @ keys.mT * scale).softmax(-1)
        out, through_out = self.to_out.vjp(_join(attention @ values))

        def pullback(gradient: Tensor) -> Tensor:
            gradient = _split(through_out(gradient))
            to_values = attention.mT @ gradient
            if self.mode.active:
                return through_norm(F.linear(_join(to_values), self.to_qkv.weight[2 * WIDTH :].T))
            to_attention = gradient @ values.mT
            to_scores = attention * (to_attention - (to_attention * attention).sum(-1, keepdim=True)) * scale
            parts = (to_scores @ keys, to_scores.mT @ queries, to_values)
            return through_norm(F.linear(torch.cat([_join(part) for part in parts], -1), self.to_qkv.weight.T))

        return out, pullback


def _split(x: Tensor) -> Tensor:
    """(B, N, WIDTH) -> (B, HEADS, N, WIDTH / HEADS)."""
    heads: Tensor = x.unflatten(-1, (HEADS, -1))
    return heads.transpose(1, 2)


def _join(x: Tensor) -> Tensor:
    """The inverse of `_split`."""
    return x.transpose(1, 2).flatten(2)


class FeedForward(Layer):
    """Two B-cos layers behind a norm, which need no activation between them."""

    def __init__(self, mode: ExplanationMode) -> None:
        super().__init__()
        self.net = nn.ModuleDict(
            {
                "norm": LayerNorm(WIDTH, mode),
                "linear1": BcosLinear(WIDTH, INNER, mode),
                "linear2": BcosLinear(INNER, WIDTH, mode),
            }
        )

    def vjp(self, x: Tensor) -> tuple[Tensor, Pullback]:
        """(B, N, WIDTH) -> (B, N, WIDTH)."""
        return chain(x, *(cast("Layer", layer) for layer in self.net.values()))


class Encoder(Layer):
    """Attention, then two layers by position, each added to its input."""

    def __init__(self, mode: ExplanationMode) -> None:
        super().__init__()
        self.attn = Attention(mode)
        self.ff = FeedForward(mode)

    def vjp(self, x: Tensor) -> tuple[Tensor, Pullback]:
        """(B, N, WIDTH) -> (B, N, WIDTH)."""
        attended, through_attention = self.attn.vjp(x)
        x = attended + x
        out, through_ff = self.ff.vjp(x)

        def pullback(gradient: Tensor) -> Tensor:
            gradient = through_ff(gradient) + gradient
            return through_attention(gradient) + gradient

        return out + x, pullback


class Embedding(BcosLinear):
    """Every position of a map as a token, the sines and cosines of its coordinates added."""

    def vjp(self, x: Tensor) -> tuple[Tensor, Pullback]:
        """(B, K, h, w) -> (B, WIDTH, h, w)."""
        tokens, pull = super().vjp(x.movedim(1, -1))
        out = (tokens + _positions(x)).movedim(-1, 1)
        return out, lambda gradient: pull(gradient.movedim(1, -1)).movedim(-1, 1)


def _positions(x: Tensor) -> Tensor:
    """(h, w, WIDTH) for a map (B, K, h, w)."""
    count = WIDTH // 4
    omega = TEMPERATURE ** -(torch.arange(count, device=x.device, dtype=x.dtype) / (count - 1))
    rows, columns = (torch.arange(size, device=x.device, dtype=x.dtype)[:, None] * omega for size in x.shape[2:])
    rows, columns = torch.broadcast_tensors(rows[:, None], columns[None])
    return torch.cat([columns.sin(), columns.cos(), rows.sin(), rows.cos()], -1)


class Transformer(Layer):
    """Encoders on the positions of a map, in no order."""

    def __init__(self, mode: ExplanationMode) -> None:
        super().__init__()
        for number in range(ENCODERS):
            self.add_module(f"encoder_{number}", Encoder(mode))

    def vjp(self, x: Tensor) -> tuple[Tensor, Pullback]:
        """(B, WIDTH, h, w) -> (B, WIDTH, h, w)."""
        size = x.shape[2:]
        out, pull = chain(x.flatten(2).mT, *(cast("Layer", encoder) for encoder in self.children()))
        return out.mT.unflatten(2, size), lambda gradient: pull(gradient.flatten(2).mT).mT.unflatten(2, size)


class PooledHead(Layer):
    """The spatial mean of the tokens, a norm and a B-cos layer: (B, WIDTH, h, w) -> (B, C)."""

    def __init__(self, classes: int, mode: ExplanationMode) -> None:
        super().__init__()
        self.norm = LayerNorm(WIDTH, mode)
        self.linear = BcosLinear(WIDTH, classes, mode)

    def vjp(self, x: Tensor) -> tuple[Tensor, Pullback]:
        """(B, WIDTH, h, w) -> (B, C)."""
        shape, area = x.shape, x.shape[2] * x.shape[3]
        out, pull = chain(x.mean((2, 3)), self.norm, self.linear)
        return out, lambda gradient: (pull(gradient) / area)[:, :, None, None].expand(shape)


class BcosViT(Network):
    """The network on six channels. Its tokens lie on a grid of 1/16 of the image's size, and are read as a map.

    Mid1 and Mid2 are the stem's maps at 1/4 and 1/8, Mid3 the tokens that enter the transformer, Final those leaving.
    """

    head = "linear_head.linear"

    def __init__(self, num_classes: int, mode: ExplanationMode) -> None:
        super().__init__()
        stem: list[Layer] = []
        for channels, out in zip((6, *STEM), STEM, strict=False):
            stem += [BcosConv2d(channels, out, 3, 2, mode), LayerNorm(out, mode, maps=True), Identity()]
        self.to_patch_embedding = nn.ModuleDict(
            {"conv_stem": nn.ModuleList(stem), "linear": Embedding(STEM[-1], WIDTH, mode)}
        )
        self.transformer = Transformer(mode)
        self.linear_head = PooledHead(num_classes, mode)

    def steps(self) -> tuple[tuple[Layer, ...], ...]:
        """Two convolutions, one, one and the embedding, the transformer, the head."""
        stem = [cast("Layer", layer) for layer in cast("nn.ModuleList", self.to_patch_embedding["conv_stem"])]
        embedding = cast("Layer", self.to_patch_embedding["linear"])
        return tuple(stem[:6]), tuple(stem[6:9]), (*stem[9:], embedding), (self.transformer,), (self.linear_head,)
