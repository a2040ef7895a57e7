"""How attribution maps (B, h, w) are prepared before a loss or a metric looks at them. The order is the caller's."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def upsample(maps: Tensor, masks: Tensor) -> Tensor:
    """Maps (B, h, w) at the resolution of masks (B, H, W): bilinear, corners not aligned, as captum does."""
    if maps.shape[-2:] == masks.shape[-2:]:
        return maps
    return functional.interpolate(maps[:, None], size=masks.shape[-2:], mode="bilinear", align_corners=False)[:, 0]


def positive(maps: Tensor) -> Tensor:
    """A+ of the paper: what speaks for the class."""
    return maps.clamp(min=0)


def normalised(maps: Tensor) -> Tensor:
    """Each map divided by its largest magnitude, through which a gradient flows; an all-zero map stays zero."""
    peak = maps.abs().amax((1, 2), keepdim=True)
    return maps / torch.where(peak == 0, 1.0, peak)
