"""Making the pictures of a trial from the weights that it kept."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mgsweep.best import best_epoch
from mgsweep.errors import InvalidInput, StoreError
from mgsweep.guidance import device
from mgsweep.guidance.checkpoint import load_weights
from mgsweep.guidance.datasets.cache import Data, prepare
from mgsweep.guidance.gallery import chosen, pictures
from mgsweep.pareto import maximised
from mgsweep.runner.places import Places
from mgsweep.store import Store
from mgsweep.store.gallery import Gallery
from mgsweep.trial import Trial

if TYPE_CHECKING:
    import torch

log = logging.getLogger("mgsweep.trial")


def hang(trial: Trial, places: Places, on: torch.device, images: Iterable[int] = ()) -> None:
    """Make the pictures of a finished trial: of the usual test images, those it already has, and some others.

    They show the kept epochs with the best validation F1 and the best validation EPG: the least, of a trial that is
    guided outside of the boxes.

    Raises:
        StoreError: its record or weights are not there or damaged.
        InvalidInput: the data are not as they should be, or the test split has no such image.
    """
    _hang(trial, Store(places.results), _data(trial, places), on, images)


def _data(trial: Trial, places: Places) -> Data:
    return prepare(trial.dataset, places.root(trial.dataset), trial.image_size, places.cache)


def _hang(trial: Trial, store: Store, data: Data, on: torch.device, images: Iterable[int]) -> None:
    gallery, scores = Gallery(store.path), _scores(trial, store.rows(trial.id))
    wanted = sorted({*chosen(data.test), *gallery.images(trial.id), *images})
    if beyond := [image for image in wanted if not 0 <= image < len(data.test) or not data.test.labels[image].any()]:
        message = f"expected labelled test images, 0 to {len(data.test) - 1}, got {beyond[0]}"
        raise InvalidInput.of(message, where="--images")
    rows = [
        {"id": trial.id, **trial.to_row(), "epoch": epoch, **scores[epoch], **row}
        for epoch in _moments(trial, store.kept(trial.id), scores, best_epoch(store.rows(trial.id)))
        for row in pictures(trial, data, load_weights(store.weights(trial.id, epoch)), wanted, trial.measured, on)
    ]
    gallery.hang(trial.id, rows, data.classes)


def hang_if_possible(trial: Trial, places: Places, on: torch.device) -> None:
    """Make them, or log why not: a trial is not to fail for want of pictures."""
    try:
        hang(trial, places, on)
    except Exception as error:
        log.warning("no pictures: %s", error)


def hang_all(trials: Iterable[Trial], places: Places, images: Sequence[int]) -> tuple[int, list[str]]:
    """Make the pictures of all finished trials; how many there are, and of which others there are none and why."""
    store, on = Store(places.results), device.choose(os.cpu_count() or 1)
    finished = [trial for trial in trials if store.has_record(trial.id)]
    reasons = {trial.id: _hang_or_say(trial, places, on, images) for trial in finished}
    lacking = [f"no pictures of {trial_id}: {reason}" for trial_id, reason in reasons.items() if reason]
    return len(finished) - len(lacking), lacking


def _hang_or_say(trial: Trial, places: Places, on: torch.device, images: Sequence[int]) -> str:
    """Make them, or say why there are none."""
    try:
        data = _data(trial, places)
    except InvalidInput as error:  # those of a trial that an earlier version of the file asked for need not be here
        return str(error.problems[0])
    try:
        _hang(trial, Store(places.results), data, on, images)
    except StoreError as error:
        return str(error)
    return ""


def _scores(trial: Trial, rows: list[dict[str, Any]]) -> dict[int, dict[str, float | None]]:
    """Validation F1 and EPG of each epoch, EPG at the trial's own probe."""
    own = (trial.attribution, trial.depth)
    validated = [row for row in rows if row["split"] == "val"]
    at_own = {row["epoch"]: row["epg"] for row in validated if (row["probe_attribution"], row["probe_depth"]) == own}
    return {row["epoch"]: {"f1_val": row["f1"], "epg_val": at_own.get(row["epoch"])} for row in validated}


def _moments(trial: Trial, kept: set[int], scores: dict[int, dict[str, float | None]], best: int) -> list[int]:
    """The epochs to show: the best, and of the kept ones that with the best EPG, the latest of equals."""
    known = sorted(kept & scores.keys())
    reached = maximised([scores[epoch]["epg_val"] for epoch in known], "epg", "max", trial.guidance_region == "outside")
    by_epg = sorted(zip(np.nan_to_num(reached, nan=-np.inf), known, strict=True))
    return sorted({best} & set(known) | {epoch for _, epoch in by_epg[-1:]})
