"""Whether a trial can exist: models have traits, attributions need them. Plan and kernel ask the same functions."""

from __future__ import annotations

from mgsweep.guidance.attributions import ATTRIBUTIONS
from mgsweep.guidance.contracts import DEPTHS
from mgsweep.guidance.datasets import DATASETS, FINGERPRINTED
from mgsweep.guidance.losses import LOSSES
from mgsweep.guidance.models import MODELS
from mgsweep.guidance.models.sources import PUBLISHED
from mgsweep.trial import Probe, Trial

NO_LOSS = "none"

NAMES: dict[str, tuple[str, ...]] = {
    "dataset": tuple(DATASETS),
    "model": tuple(MODELS),
    "backbone": tuple(dict.fromkeys(name for model in MODELS.values() for name in model.backbones)),
    "weights": ("random", "imagenet"),
    "attribution": tuple(ATTRIBUTIONS),
    "depth": DEPTHS,
    "loss": (NO_LOSS, *LOSSES),
}
"""The names that exist, for every field of `Trial` that holds one."""


def is_own_data(dataset: str) -> bool:
    """Whether a data set has the fingerprinted name of a user's own."""
    return FINGERPRINTED.fullmatch(dataset) is not None


def why_invalid(trial: Trial) -> str | None:
    """Why this combination of known names makes no sense, or None if it does.

    Raises:
        UnknownName: a name that no registry line has.
    """
    model, dataset = MODELS[trial.model], DATASETS[trial.dataset]
    if trial.backbone not in model.backbones:
        return f"{trial.model} has no backbone {trial.backbone} (it has {', '.join(model.backbones)})"
    if trial.weights == "imagenet" and (trial.model, trial.backbone) not in PUBLISHED:
        return f"no ImageNet weights are published for {trial.model} {trial.backbone}"
    if trial.guided and trial.guidance_source == "mask" and not dataset.has_masks:
        return f"{trial.dataset} has no segmentation masks to guide by"
    return next(filter(None, (why_unmeasurable(trial.model, probe) for probe in trial.measured)), None)


def why_unmeasurable(model: str, probe: Probe) -> str | None:
    """Why this model cannot be explained by this attribution at this depth, or None if it can.

    Raises:
        UnknownName: a name that no registry line has.
    """
    attribution = ATTRIBUTIONS[probe.attribution]
    if not attribution.needs <= MODELS[model].traits:
        return f"{attribution.name} needs {attribution.reason}; {MODELS[model].lacks}"
    if probe.depth not in attribution.depths:
        return f"{attribution.name} needs {attribution.reason}; {probe.depth} is not one"
    return None
