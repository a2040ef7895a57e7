"""A training without training, whose scores follow from the trial: searches and early stop are tested on it.

F1 falls and EPG rises with lambda; L1 is a worse Energy; a learning rate other than 1e-4 costs both. Scores grow with
the epochs.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch

from mgsweep.guidance.training import Epoch, State, members_of
from mgsweep.trial import Probe, Trial


def scores(trial: Trial, epoch: int) -> dict[str, float]:
    """F1, EPG and IoU after so many epochs."""
    if not trial.guided:
        return {"f1": 0.8 + 0.001 * epoch, "epg": 0.2, "iou": 0.1}
    strength = (math.log10(trial.lambda_loc) + 4) / 3  # 0 at 1e-4, 1 at 1e-1
    worse = 0.3 * abs(math.log10(trial.learning_rate) + 4) + 0.2 * (trial.loss == "l1")
    grown = 1 - 0.5**epoch
    return {"f1": grown * (0.9 - 0.5 * strength**2 - worse), "epg": grown * (0.2 + 0.7 * strength - worse), "iou": 0.1}


def training(
    trial: Trial, places: object, *, start: Any, resume: State | None, device: object, **options: Any
) -> Iterator[Epoch]:
    """The epochs of a trial, then its kept ones as they are tested."""
    state = resume or State()
    for number in range(state.epoch + 1, trial.epochs + 1):
        time.sleep(0.001)
        rows = (row(trial, number, "train"), row(trial, number, "val"))
        weights = {"epoch": torch.tensor(float(number))}
        members = {e: {"epoch": torch.tensor(float(e))} for e in members_of(trial, (*state.rows, *rows))}
        state = State(number, weights, {}, (*state.rows, *rows), members)
        yield Epoch(number, rows, state)
    for number in sorted(state.members):
        tested = [row(trial, number, split, probe) for split in ("val", "test") for probe in trial.measured]
        if new := tuple(one for one in tested if one not in state.rows):
            state = replace(state, rows=(*state.rows, *new))
            yield Epoch(number, new, state)


def row(trial: Trial, epoch: int, split: str, probe: Probe | None = None) -> dict[str, Any]:
    """A row as training makes it: while a baseline trains, no attribution is measured."""
    attribution, depth = probe or (trial.attribution, trial.depth)
    own = {"epoch": epoch, "split": split, "probe_attribution": attribution, "probe_depth": depth, "seconds": 1.5}
    measured = scores(trial, epoch) if split != "train" else {"class_loss": 1 / epoch}
    return {**own, **(measured if attribution else {"f1": measured.get("f1")})}
