"""What follows a failure: one table by cause. Which attempts there were is read from the store, so no run forgets."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mgsweep.plan.schema import Resources
from mgsweep.trial import Trial


@dataclass(frozen=True)
class Answer:
    """`again`: how many more attempts the cause is worth, over all runs. `later`: whether a later run tries by itself.

    `smaller`: each attempt occupies less memory than the one before, as far as `ladder` goes.
    """

    again: float
    later: bool = False
    smaller: bool = False


ANSWERS: dict[str, Answer] = {
    "preempted": Answer(math.inf, later=True),  # its process was told to go, and went at the end of an epoch
    "lost": Answer(math.inf, later=True),  # its node is gone
    "died": Answer(3),  # its process is gone: killed from outside, or crashed in native code
    "memory": Answer(math.inf, smaller=True),  # of the GPU or of the machine
    "timeout": Answer(1),  # no epoch for too long: it was killed
    "disk": Answer(0, later=True),  # full, read-only or broken
    "damaged": Answer(0, later=True),  # a file that it builds on, which the next run makes anew
    "diverged": Answer(0),  # the loss is no longer finite, and would not be a second time
    "bug": Answer(0),  # anything else that was raised
}

RETRIABLE = tuple(cause for cause, answer in ANSWERS.items() if not answer.later)
"""The causes that `--retry` forgives."""

SMALLEST = 8
"""A micro-batch is at least this part of the batch: below, the time lost is worse than asking for a bigger share."""


@dataclass(frozen=True)
class Share:
    """What one attempt gets. `micro_batch`: images computed at once, None for the whole batch."""

    micro_batch: int | None
    gpu: float
    checkpoint_stages: bool = False

    @property
    def memory(self) -> dict[str, Any]:
        """How its training saves memory, as arguments of the kernel."""
        given = {"micro_batch": self.micro_batch, "checkpoint_stages": self.checkpoint_stages}
        return {key: value for key, value in given.items() if value}


def ladder(trial: Trial, resources: Resources) -> list[Share]:
    """The shares to try one after the other when memory does not suffice.

    First smaller micro-batches of the same batch (which batch norms see: the record says which one it was); then, with
    the smallest, a bigger share of the GPU, which others then cannot use.
    """
    whole, stages = resources.micro_batch or trial.batch_size, resources.checkpoint_stages
    halves = [math.ceil(trial.batch_size / 2**n) for n in range(1, int(math.log2(SMALLEST)) + 1)]
    sizes = [resources.micro_batch, *(size for size in dict.fromkeys(halves) if size < whole)]
    shares = [Share(size, resources.gpu, stages) for size in sizes]
    gpu = resources.gpu
    while 0 < gpu < 1:
        gpu = min(1.0, 2 * gpu)
        shares.append(Share(sizes[-1], gpu, stages))
    return shares


def given_up(trial: Trial, resources: Resources, causes: Sequence[str], later: bool = False) -> bool:
    """Whether a trial that failed from these causes, the first first, is not to be tried again.

    Args:
        later: ask for a later run than the one that it failed in.
    """
    counts = Counter(causes)
    if counts["memory"] >= len(ladder(trial, resources)):
        return True
    answers = {cause: ANSWERS.get(cause, Answer(0)) for cause in counts}
    return any(counts[cause] > answer.again and not (later and answer.later) for cause, answer in answers.items())


def share(trial: Trial, resources: Resources, causes: Sequence[str]) -> Share:
    """What the next attempt gets."""
    shares = ladder(trial, resources)
    return shares[min(Counter(causes)["memory"], len(shares) - 1)]


def alike(error: str) -> str:
    """An error without the ids, sizes and epochs in which trials differ that meet the same bug."""
    return re.sub(r"\b[0-9a-f]{12}\b|\d+", "#", error)
