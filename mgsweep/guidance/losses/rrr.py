"""RRR*: no attribution, positive or negative, outside the boxes."""

from __future__ import annotations

from torch import Tensor

from mgsweep.guidance.maps import normalised, upsample


def rrr(maps: Tensor, masks: Tensor) -> Tensor:
    """Sum over the pixels outside the mask of Â squared (paper eq. 5). A sum, not a mean: its lambdas are tiny."""
    outside = (~masks).to(maps.dtype)
    return (upsample(normalised(maps), masks).square() * outside).sum((1, 2))
