"""Guidance losses. A new one is one file beside this and one line below; `contracts.Loss` says what it promises."""

from mgsweep.guidance.contracts import Loss
from mgsweep.registry import Registry

LOSSES = Registry(
    "loss",
    Loss("energy", "mgsweep.guidance.losses.energy:energy"),
    Loss("l1", "mgsweep.guidance.losses.l1:l1"),
    Loss("ppce", "mgsweep.guidance.losses.ppce:ppce"),
    Loss("rrr", "mgsweep.guidance.losses.rrr:rrr"),
)
