"""Keeping less for the backward: of a block its input alone, the rest computed again when it is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import cast

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from mgsweep.guidance.models.layers import Chain, Layer, Pullback, chain, composed

Context = Callable[[], AbstractContextManager[None]]


def recomputed(x: Tensor, layers: Sequence[Layer], again: Callable[[], Context]) -> tuple[Tensor, Pullback]:
    """`vjp` of layers one after the other that keeps the inputs of their blocks, and the gradients pulled through them.

    What `chain` gives, by the same operations on the same numbers; gradients add up in another order only where a
    pullback was used. Statistics that layers keep of their inputs are updated by the first computation alone. It costs
    another forward pass, and an attribution two more.

    Args:
        again: asked when a pullback is called, gives the context in which it has to be computed again.
    """
    pulls = []
    for block in _blocks(layers):
        x, pull = _recomputed(x, block, again)
        pulls.append(pull)
    return x, composed(pulls)


def _blocks(layers: Sequence[Layer]) -> list[list[Layer]]:
    """The members of a chain one by one, as a whole one would be large when it is computed again; others together."""
    blocks: list[list[Layer]] = [[]]
    for layer in layers:
        if isinstance(layer, Chain):
            blocks += [[cast("Layer", block)] for block in layer] + [[]]
        else:
            blocks[-1].append(layer)
    return [block for block in blocks if block]


def _recomputed(x: Tensor, layers: Sequence[Layer], again: Callable[[], Context]) -> tuple[Tensor, Pullback]:
    def once(function: Callable[..., Tensor], *given: Tensor, first: Context, context: Context) -> Tensor:
        def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
            return first(), _both(_kept(layers), context())

        options = {"use_reentrant": False, "preserve_rng_state": False, "context_fn": contexts}
        return cast("Tensor", checkpoint(function, *given, **options))  # type: ignore[arg-type]

    def forward(x: Tensor) -> Tensor:
        return chain(x, *layers)[0]

    def back(x: Tensor, gradient: Tensor) -> Tensor:
        return chain(x, *layers)[1](gradient)

    def pullback(gradient: Tensor) -> Tensor:
        return once(back, x, gradient, first=lambda: _kept(layers), context=again())

    return once(forward, x, first=nullcontext, context=nullcontext), pullback


@contextmanager
def _both(one: AbstractContextManager[None], other: AbstractContextManager[None]) -> Iterator[None]:
    with one, other:
        yield


@contextmanager
def _kept(layers: Sequence[Layer]) -> Iterator[None]:
    """Afterwards the layers' buffers are what they were, so that nothing is counted twice."""
    buffers = [buffer for layer in layers for buffer in layer.buffers()]
    before = [buffer.clone() for buffer in buffers]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in zip(buffers, before, strict=True):
                buffer.copy_(value)
