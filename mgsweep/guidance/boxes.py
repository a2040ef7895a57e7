"""Bounding boxes as tensors: masks of a batch in one matrix product, dilation, and the published end-exclusive edges.

A box is [xmin, ymin, xmax, ymax] in pixels of the square input; the upper ends are exclusive. A box without area, such
as the zeros that pad ragged lists, marks nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

Boxes = Sequence[Tensor] | Tensor
"""A list of (K, 4) integer tensors, K differing from image to image, or one zero-padded (B, K, 4) tensor."""


def masks(boxes: Boxes, size: int) -> Tensor:
    """The union of each image's boxes: (B, size, size) bool, on the boxes' device."""
    corners = _padded(boxes)
    pixels = torch.arange(size, device=corners.device)
    low, high = corners[..., :2, None], corners[..., 2:, None]
    columns, rows = ((low <= pixels) & (pixels < high)).float().unbind(2)  # each (B, K, size)
    return torch.bmm(rows.transpose(1, 2), columns) > 0


def dilate(boxes: Boxes, fraction: float, size: int) -> list[Tensor]:
    """Grow every side by int(fraction * width) or int(fraction * height), cut at size - 1 (paper, coarse boxes).

    At 0.5 a box doubles its width and height. Corners are cut to [0, size - 1] as the published code does, which
    leaves the last row and column outside.
    """
    return [_dilated(box, fraction, size) for box in boxes]


def _dilated(box: Tensor, fraction: float, size: int) -> Tensor:
    low, high = box[..., :2], box[..., 2:]
    # float64, as Python's own int(fraction * width): in float32 0.1 * 30 could fall on the other side of 3.
    growth = (fraction * (high - low).double()).to(box.dtype)
    return torch.cat([low - growth, high + growth], dim=-1).clamp(0, size - 1) if fraction > 0 else box


def _padded(boxes: Boxes) -> Tensor:
    if isinstance(boxes, Tensor):
        return boxes
    return pad_sequence([box.reshape(-1, 4) for box in boxes], batch_first=True)
