"""PPCE (HAICS): per-pixel cross entropy that asks for attribution inside the boxes and ignores the rest."""

from __future__ import annotations

from torch import Tensor

from mgsweep.guidance.maps import normalised, positive, upsample

LOWEST_LOG = -100.0  # where binary cross entropy cuts log(0)


def ppce(maps: Tensor, masks: Tensor) -> Tensor:
    """Mean over the mask of -log Â+ (paper eq. 4). An empty mask costs 0, where the published code gives NaN."""
    inside = masks.to(maps.dtype)
    prepared = upsample(normalised(positive(maps)), masks)
    # A zero is replaced before the logarithm: it costs the cut value and passes no gradient, instead of 0 * inf = NaN.
    logs = prepared.where(prepared > 0, 1.0).log().clamp(min=LOWEST_LOG).where(prepared > 0, LOWEST_LOG)
    return -(logs * inside).sum((1, 2)) / inside.sum((1, 2)).clamp(min=1)
