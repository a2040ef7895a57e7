"""Counting what PyTorch does, on real tensors or on `meta` ones that hold no data."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


@torch.library.impl("aten::batch_norm_update_stats", "Meta")
def _shapes_of_statistics(x: Tensor, mean: Tensor | None, variance: Tensor | None, momentum: float) -> Any:
    """PyTorch knows the shapes of every other operation of ours."""
    return x.new_empty(x.shape[1]), x.new_empty(x.shape[1])


class Operations(TorchDispatchMode):
    """Counts every operation by name, and the multiplications and additions of the convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()
        self.flops = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = function.overloadpacket.__name__
        self.calls[name] += 1
        out = function(*args, **(kwargs or {}))
        if name == "convolution":
            x, weight, transposed = args[0], args[1], args[6]
            # Every weight meets every position of the smaller side of the layer's stride.
            positions = (x if transposed else out)[0, 0].numel()
            self.flops += 2 * x.shape[0] * weight.numel() * positions
        if name == "convolution_backward":
            gradient, weight, transposed, mask = args[0], args[2], args[7], args[10]
            positions = (args[1] if transposed else gradient)[0, 0].numel()
            self.flops += 2 * gradient.shape[0] * weight.numel() * positions * sum(mask[:2])
        return out
