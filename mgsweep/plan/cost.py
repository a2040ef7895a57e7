"""What a plan will take: by what like trials took in this store, else by published timings. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from mgsweep.trial import Trial

Source = Literal["store", "published", "unknown"]
Kind = tuple[Any, ...]

ALIKE = ("dataset", "model", "backbone", "attribution", "depth", "image_size")
"""Trials that share these take the same time an epoch; a baseline has neither attribution nor depth."""

SOURCE = "github.com/rensdebee/FACTifAI_2024_3"
"""Where the published timings are from: its training logs of VOC 2007, of the paper's own code on one 40 GB A100."""

PUBLISHED: Mapping[tuple[str, str], tuple[float, float]] = {
    ("bcos", "none"): (10.0, 20.0),
    ("bcos", "final"): (12.0, 27.6),  # 32 to 34 minutes for 50 epochs; split like its neighbours
    ("bcos", "mid2"): (14.0, 47.6),
    ("bcos", "input"): (18.1, 62.2),
    ("vanilla", "none"): (3.5, 8.0),
    ("vanilla", "final"): (5.9, 14.0),
    ("vanilla", "input"): (12.0, 43.8),  # 45 to 48 minutes for 50 epochs
}
"""Seconds of an epoch of (model, depth): training on 2,501 images, validation on 2,510, of 224 pixels.

The tests at the end are not in them. With COCO its images have to be read as well: an epoch of the bcos baseline took
that reproduction 538 s where these give 361.
"""

STANDS_FOR = {"xdnn": "vanilla"}
"""A model without a published timing, and the one of the same network whose is taken."""

MEASURED_AT = {"mid1": ("input",), "mid2": ("mid2", "input"), "mid3": ("mid2", "input")}
"""A depth, and those whose timings bound it, the closest first."""

IMAGES = {
    "voc2007": (2501, 2510),
    "coco2014": (73_872, 8_209),
    **dict.fromkeys(("waterbirds", "waterbirds_reversed"), (4795, 600)),
}
"""Images of training and validation of the data sets whose size is known before they are read."""


@dataclass(frozen=True)
class Cost:
    """Seconds that trials will take one after the other, and how many they are, by where that is known from."""

    seconds: Mapping[Source, float]
    trials: Mapping[Source, int]

    @property
    def total(self) -> float:
        """Seconds of all whose time is known."""
        return sum(self.seconds.values())


NOWHERE: Mapping[str, int] = MappingProxyType({})


def kind(values: Mapping[str, Any]) -> Kind:
    """What trials share that take the same time an epoch."""
    return tuple(values[key] for key in ALIKE)


def epoch_seconds(timings: Iterable[Mapping[str, Any]]) -> dict[Kind, float]:
    """Seconds an epoch, by kind of trial, over all trials of that kind.

    Args:
        timings: for each trial that ran its fields, `seconds` in all and the `epoch` it reached (`Store.timings`).
    """
    sums: dict[Kind, tuple[float, int]] = {}
    for row in timings:
        seconds, epochs = sums.get(kind(row), (0.0, 0))
        sums[kind(row)] = (seconds + (row["seconds"] or 0.0), epochs + row["epoch"])
    return {found: seconds / epochs for found, (seconds, epochs) in sums.items() if seconds > 0}


def cost(trials: Iterable[Trial], known: Mapping[Kind, float], reached: Mapping[str, int] = NOWHERE) -> Cost:
    """What trials will take.

    Args:
        known: seconds an epoch, by kind.
        reached: the last epoch that is safe of trials that were interrupted, by id.
    """
    seconds: dict[Source, float] = {"store": 0.0, "published": 0.0}
    counts: dict[Source, int] = {"store": 0, "published": 0, "unknown": 0}
    for trial in trials:
        source, taken = _epoch(trial, known)
        counts[source] += 1
        if taken is not None:
            seconds[source] += taken * (trial.epochs - reached.get(trial.id, 0))
    return Cost(seconds, counts)


def _epoch(trial: Trial, known: Mapping[Kind, float]) -> tuple[Source, float | None]:
    found = known.get(kind(trial.to_row()))
    if found is not None:
        return "store", found
    published = _published(trial)
    return ("unknown", None) if published is None else ("published", published)


def _published(trial: Trial) -> float | None:
    """Seconds an epoch after the published timings, in proportion to images and their size; None without any."""
    if trial.dataset not in IMAGES or trial.backbone != "resnet50":
        return None
    model = STANDS_FOR.get(trial.model, trial.model)
    depth = trial.depth or "none"
    of = next((at for at in MEASURED_AT.get(depth, (depth,)) if (model, at) in PUBLISHED), None)
    if of is None:
        return None
    scale = (trial.image_size / 224) ** 2
    images = IMAGES[trial.dataset]
    return scale * sum(
        seconds * count / voc
        for seconds, count, voc in zip(PUBLISHED[model, of], images, IMAGES["voc2007"], strict=True)
    )
