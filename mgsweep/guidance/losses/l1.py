"""L1 (GRADIA): distance between the normalised map and the mask itself."""

from __future__ import annotations

from torch import Tensor

from mgsweep.guidance.maps import normalised, positive, upsample


def l1(maps: Tensor, masks: Tensor) -> Tensor:
    """Mean over pixels of |M - Â+| (paper eq. 3). Normalised before upsampling, so a coarse map cannot reach 0."""
    return (upsample(normalised(positive(maps)), masks) - masks.to(maps.dtype)).abs().mean((1, 2))
