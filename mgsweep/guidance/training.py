"""The kernel: one trial trained from beginning to end, as a generator of epochs that can be left and taken up again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from mgsweep.best import best_epoch, score
from mgsweep.errors import Diverged
from mgsweep.guidance.augmentation import Crops, draw
from mgsweep.guidance.clock import Clock, forget_peak
from mgsweep.guidance.datasets.cache import Data, Split, annotated
from mgsweep.guidance.device import resident
from mgsweep.guidance.evaluation import Row, evaluate, held_out
from mgsweep.guidance.models import build
from mgsweep.guidance.models.classifier import Classifier
from mgsweep.guidance.models.weights import load
from mgsweep.guidance.precision import multiplying
from mgsweep.guidance.seeds import generator, seed_of
from mgsweep.guidance.step import drawn_classes, guided_loss
from mgsweep.pareto import front
from mgsweep.trial import Probe, Trial

Weights = Mapping[str, Tensor]
"""A network's state dict, on the host."""

BIN_WIDTH = 0.005
"""Scores are rounded to this before checkpoints compete for the front (published selection)."""


@dataclass(frozen=True)
class State:
    """All that continuing takes. Random numbers need no state: their streams are named by epoch (`guidance.seeds`).

    `members` holds the weights worth keeping, by epoch: the best validation score, and for a guided trial the
    validation fronts (`members_of`).
    """

    epoch: int = 0
    network: Weights = field(default_factory=dict)
    optimiser: Mapping[str, Any] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()
    members: Mapping[int, Weights] = field(default_factory=dict)


@dataclass(frozen=True)
class Epoch:
    """What one epoch, or the final measuring of one kept epoch, adds: its rows, and the state to resume from."""

    number: int
    rows: tuple[Row, ...]
    state: State


def guided_training(
    trial: Trial,
    data: Data,
    *,
    start: Weights | None = None,
    resume: State | None = None,
    device: str | torch.device = "cpu",
    micro_batch: int | None = None,
    checkpoint_stages: bool = False,
) -> Iterator[Epoch]:
    """Train `trial` on `data`, yielding after every epoch, then once for every kept epoch as it is measured on test.

    How the weights begin; the order matters:
    1. A trial that was interrupted continues from its own state (`resume`), to bit-equal results on a CPU.
    2. A guided trial starts from its baseline's best checkpoint, a pretrained baseline from its weights (`start`).
    3. Otherwise they are drawn from the trial's seed.

    Args:
        trial: what to train; `why_invalid` must have found nothing.
        data: the decoded data set of the trial's name and image size.
        start: initial weights of the bare network.
        resume: the state of the last epoch that was yielded.
        device: where to compute.
        micro_batch: at most so many images are computed at a time. A step adds up its parts' gradients, which is the
            same but for rounding, unless batch norm couples images: its batch is then the part, not the step.
        checkpoint_stages: keep only the inputs of a network's blocks for the backward and compute the rest again: the
            same step (a guided one but for rounding), in less memory and more time.

    Raises:
        Diverged: a loss became NaN or infinite; the epochs yielded before stand.
    """
    device = torch.device(device)
    model = _model(trial, len(data.classes), start, device)
    forget_peak(device)
    train, val, test = (_at_hand(split, device) for split in (data.train, data.val, data.test))
    data = replace(data, train=train, val=val, test=test)
    model.checkpoint_stages = checkpoint_stages
    state = resume or State()
    if state.epoch < trial.epochs:
        optimiser = torch.optim.Adam(model.parameters(), lr=trial.learning_rate)
        if resume:
            model.network.load_state_dict(resume.network)
            optimiser.load_state_dict(dict(resume.optimiser))
        for number in range(state.epoch + 1, trial.epochs + 1):
            rows = _rows_of_epoch(trial, model, optimiser, data, number, device, micro_batch)
            state = _after_epoch(trial, state, model, optimiser, number, rows)
            yield Epoch(number, rows, state)
    for number in sorted(state.members):
        if rows := _rows_of_member(trial, model, data, state, number, device):
            state = replace(state, rows=(*state.rows, *rows))
            yield Epoch(number, rows, state)


def _at_hand(split: Split, device: torch.device) -> Split:
    return replace(split, images=resident(split.images, device))


def _model(trial: Trial, classes: int, start: Weights | None, device: torch.device) -> Classifier:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(trial.seed, "weights"))
        model = build(trial.model, trial.backbone, classes)
    if start is not None:
        load(model.network, start)
    return model.to(device)


# One epoch


def _rows_of_epoch(
    trial: Trial,
    model: Classifier,
    optimiser: torch.optim.Optimizer,
    data: Data,
    number: int,
    device: torch.device,
    micro_batch: int | None,
) -> tuple[Row, ...]:
    """Train one epoch and validate. A baseline is only classified: its attributions wait for the best epoch."""
    clock = Clock(device)
    with multiplying(model, trial.precision):
        trained = train_epoch(trial, model, optimiser, data.train, number, device, micro_batch)
    own = {"probe_attribution": trial.attribution, "probe_depth": trial.depth, "micro_batch": micro_batch}
    train_row = {"epoch": number, "split": "train", **own, **trained, **clock.read()}
    validated = evaluate(model, data.val, trial.measured if trial.guided else (), device)
    held_out(validated, validated)
    cost = clock.read()
    where = {"epoch": number, "split": "val", "micro_batch": micro_batch}
    return (train_row, *({**where, **row, **cost} for row in validated))


def train_epoch(
    trial: Trial,
    model: Classifier,
    optimiser: torch.optim.Optimizer,
    split: Split,
    number: int,
    device: torch.device,
    micro_batch: int | None = None,
) -> Row:
    """One pass over the training split in the order of the trial's seed.

    Raises:
        Diverged: a loss became NaN or infinite.
    """
    model.train()
    order = torch.randperm(len(split), generator=generator(trial.seed, "order", number))
    classes = drawn_classes(split.labels, generator(trial.seed, "classes", number))
    usable = annotated(len(split), trial.bbox_fraction, trial.seed) & split.labels.any(1)
    if trial.guidance_source == "mask":
        usable &= split.segmented(split.pair_of.gather(1, classes[:, None]).squeeze(1))
    crops = crops_of(trial, split, number)
    sums = torch.zeros(4, dtype=torch.float64, device=device)
    for index in order.split(trial.batch_size):
        optimiser.zero_grad(set_to_none=True)
        for part in index.split(micro_batch or len(index)):
            given = (part, classes[part], usable[part], device, crops and crops[part])
            loss, parts = guided_loss(trial, model, split, *given, share=len(part) / len(index))
            loss.backward()
            sums += parts
        optimiser.step()
    entropy, guidance, guided, empty = sums.tolist()
    if not math.isfinite(entropy + guidance):
        raise Diverged(
            f"epoch {number}: the training loss is no longer finite; try a smaller lambda_loc or learning_rate"
        )
    row: Row = {"class_loss": entropy / len(split), "pairs": int(guided), "masks_empty": int(empty)}
    return {**row, "guidance_loss": guidance / guided} if guided else row


def crops_of(trial: Trial, split: Split, number: int) -> Crops | None:
    """One for each image, so that neither the order nor the size of batches matters."""
    if trial.augmentation == "none":
        return None
    return draw(len(split), trial.image_size, generator(trial.seed, "crops", number))


# What is kept


def _after_epoch(
    trial: Trial, before: State, model: Classifier, optimiser: torch.optim.Optimizer, number: int, rows: tuple[Row, ...]
) -> State:
    now = _on_host(model.network.state_dict())
    everything = (*before.rows, *rows)
    # Not at hand is what was dropped while fewer probes were asked for.
    at_hand = {**before.members, number: now}
    members = {epoch: at_hand[epoch] for epoch in sorted(members_of(trial, everything) & at_hand.keys())}
    return State(number, now, _on_host(optimiser.state_dict()), everything, members)


def members_of(trial: Trial, rows: tuple[Row, ...]) -> set[int]:
    """The epochs worth keeping: the best validation score (the earliest of equals), and if guided the fronts.

    That over (score, EPG, IoU) at the trial's own probe, and those over (score, EPG) at the others: figures choose at
    any of them. A point once dominated stays dominated, so the weights of a member are at hand.
    """
    validated = [row for row in rows if row["split"] == "val"]
    members = {best_epoch(validated)}
    wanted = -1 if trial.guidance_region == "outside" else 1  # what lies in the boxes is then to vanish
    for place, probe in enumerate(trial.measured if trial.guided else ()):
        here = [row for row in validated if (row["probe_attribution"], row["probe_depth"]) == probe]
        metrics = ("epg",) if place else ("epg", "iou")
        scores = [[score(row), *(wanted * row.get(key, math.nan) for key in metrics)] for row in here]
        members |= {here[index]["epoch"] for index in front(scores, BIN_WIDTH)}
    return members


def _rows_of_member(
    trial: Trial, model: Classifier, data: Data, state: State, number: int, device: torch.device
) -> tuple[Row, ...]:
    """What is not measured yet of a kept epoch: every probe on validation and test."""
    rows: list[Row] = []
    for name, missing in _missing(trial, state, number).items():
        clock = Clock(device)
        model.network.load_state_dict(state.members[number])
        measured = evaluate(model, getattr(data, name), [p for p in missing if isinstance(p, Probe)], device)
        before = (row for row in state.rows if (row["epoch"], row["split"]) == (number, "val"))
        held_out(measured, measured if name == "val" else [*before, *rows])
        cost = clock.read()
        trained = next((row.get("micro_batch") for row in state.rows if row["epoch"] == number), None)
        rows += [{"epoch": number, "split": name, "micro_batch": trained, **row, **cost} for row in measured]
    return tuple(rows)


def is_complete(trial: Trial, state: State) -> bool:
    """Whether nothing is left to do: every epoch is trained, and every kept one measured."""
    return state.epoch >= trial.epochs and not any(_missing(trial, state, number) for number in state.members)


def _missing(trial: Trial, state: State, number: int) -> dict[str, list[Probe | tuple[None, None]]]:
    """The probes at which an epoch is not measured, by split; one that lacks none is left out."""
    seen = {(r["epoch"], r["split"], r["probe_attribution"], r["probe_depth"]) for r in state.rows}
    probes: tuple[Probe | tuple[None, None], ...] = trial.measured or ((None, None),)
    missing = {name: [probe for probe in probes if (number, name, *probe) not in seen] for name in ("val", "test")}
    return {name: probes for name, probes in missing.items() if probes}


def _on_host(value: Any) -> Any:
    """A copy on the host of everything in a nested state dict that training goes on to change."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: _on_host(part) for key, part in value.items()}
    return [_on_host(part) for part in value] if isinstance(value, list) else value
