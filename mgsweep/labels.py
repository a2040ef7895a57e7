"""A trial in a few words, for lists and for the lines of a run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from mgsweep.trial import Trial

WORDS = {
    "backbone": "{}",
    "weights": "{}",
    "guidance_source": "{}",
    "guidance_region": "{}",
    "epochs": "{} epochs",
    "batch_size": "batch {}",
    "learning_rate": "lr {:g}",
    "image_size": "{} px",
    "augmentation": "{}",
    "precision": "{}",
    "start": "from {}",
}
"""How a label says the fields of a trial that it says only where need be."""

Setting = tuple[bool, str, Any]
"""Whether of guided trials, field, value."""


def shared(trials: Iterable[Trial]) -> frozenset[Setting]:
    """The settings that all guided trials have in common, and all baselines: their labels need not say them."""
    stages: dict[bool, set[Setting]] = {}
    for trial in trials:
        settings = set(_settings(trial))
        stages[trial.guided] = stages.get(trial.guided, settings) & settings
    return frozenset().union(*stages.values())


def _settings(trial: Trial) -> Iterator[Setting]:
    return ((trial.guided, key, getattr(trial, key)) for key in WORDS)


def label(trial: Trial, known: Collection[Setting] = ()) -> str:
    """A trial in a few words: what it does, and every setting but the defaults and those that are `known`."""
    what, fields = "baseline", Trial.model_fields
    if trial.guided:
        what = f"{trial.attribution}@{trial.depth} {trial.loss} λ={trial.lambda_loc:g}"
    settings = [one for one in _settings(trial) if one[2] != fields[one[1]].default and one not in known]
    parts = [
        f"{trial.dataset} {trial.model} {what}",
        f"{100 * trial.bbox_fraction:g}% boxes" if trial.bbox_fraction < 1 else "",
        f"dilated {100 * trial.bbox_dilation:g}%" if trial.bbox_dilation else "",
        *(WORDS[key].format(value) for _, key, value in settings),
        f"seed {trial.seed}" if trial.seed else "",
    ]
    return " ".join(filter(None, parts))
