"""In which precision convolutions multiply while training. Everything else is float32, and so is all measuring."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from mgsweep.guidance.models.classifier import Classifier
from mgsweep.guidance.models.layers import Layer


@contextmanager
def multiplying(model: Classifier, precision: str) -> Iterator[None]:
    """While open, the factors of the model's convolutions are rounded to `precision`: fp32, tf32 or bf16.

    Products are summed in float32 always; statistics, attribution maps and losses stay float32. TF32 is a mode of
    NVIDIA's GPUs since Ampere, and changes nothing elsewhere.
    """
    layers = [module for module in model.modules() if isinstance(module, Layer)]
    factors = torch.bfloat16 if precision == "bf16" else None
    try:
        _set(layers, factors, "tf32" if precision == "tf32" else "ieee")
        yield
    finally:
        _set(layers, None, "ieee")


def _set(layers: list[Layer], factors: torch.dtype | None, mode: str) -> None:
    for layer in layers:
        layer.factors = factors
    torch.backends.cudnn.conv.fp32_precision = mode  # type: ignore[attr-defined]  # its stub lacks it
    torch.backends.cuda.matmul.fp32_precision = mode
