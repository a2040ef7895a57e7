"""Energy: the share of positive attribution outside the boxes."""

from __future__ import annotations

from torch import Tensor

from mgsweep.guidance.maps import positive, upsample
from mgsweep.guidance.metrics import energy_inside


def energy(maps: Tensor, masks: Tensor) -> Tensor:
    """1 - EPG (paper eq. 6 up to the constant, so that it is a loss in [0, 1]).

    Below a total of 1e-7 the share is undefined and the published code takes 1 - (energy inside); kept.
    """
    return 1 - energy_inside(positive(upsample(maps, masks)), masks)
