"""One trial in one process: resume or begin, save every epoch, publish the record. Knows nothing of Ray."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mgsweep.errors import Diverged, MgsweepError
from mgsweep.guidance import device
from mgsweep.guidance.checkpoint import dump_state, dump_weights, load_state, load_weights
from mgsweep.guidance.datasets.cache import prepare
from mgsweep.guidance.models.weights import imagenet
from mgsweep.guidance.training import State, Weights, best_epoch, guided_training
from mgsweep.runner.places import Places
from mgsweep.runner.provenance import provenance
from mgsweep.store import Store
from mgsweep.trial import Trial

if TYPE_CHECKING:
    import torch

log = logging.getLogger("mgsweep.trial")
log.propagate = False  # it goes to the trial's own file

Row = dict[str, Any]


class Busy(MgsweepError):
    """Another process is training the trial."""


def execute(trial: Trial, places: Places, threads: int = 1) -> Generator[Row]:
    """Train a trial, yielding the last row of every epoch once that epoch is safe on disk.

    Raises:
        Busy: another process holds the trial.
        Exception: whatever went wrong; it has been written to the store's failures.
    """
    store = Store(places.results)
    with store.lock(trial.id) as ours, _logged(store, trial):
        if not ours:
            raise Busy(f"trial {trial.id} is being trained by another process")
        if store.is_done(trial):
            return
        try:
            yield from _epochs(trial, places, store, device.choose(threads))
        except Exception as error:
            log.exception("failed")
            store.fail(trial.id, {**failure(error), "log": str(store.log(trial.id))})
            raise


def _epochs(trial: Trial, places: Places, store: Store, on: torch.device) -> Iterator[Row]:
    data = prepare(trial.dataset, places.root(trial.dataset), trial.image_size, places.cache)
    resume, records = _left_off(trial, store)
    start = _start(trial, places, store) if resume is None else None
    described = {"sweep": store.path.name, "id": trial.id, **trial.to_row(), **provenance(on)}
    safe = set(resume.members) if resume else set()
    log.info("%s from epoch %d on %s", "resumed" if resume else "started", resume.epoch if resume else 0, on)
    for epoch in guided_training(trial, data, start=start, resume=resume, device=on):
        records += [{**described, **row} for row in epoch.rows]
        _save(trial, store, epoch.state, records, safe)
        log.info("epoch %d: %s", epoch.number, _summary(epoch.rows[-1]))
        yield {"epoch": epoch.state.epoch, **_summary(epoch.rows[-1])}
    store.commit(trial.id, records)
    log.info("done")


def _left_off(trial: Trial, store: Store) -> tuple[State | None, list[Row]]:
    """What is there of the trial: an interrupted run, a record that lacks a probe, or nothing."""
    if content := store.checkpoint(trial.id):
        state, epochs = load_state(content, {})
        kept = {epoch: load_weights(store.weights(trial.id, epoch)) for epoch in epochs}
        # The rows are saved before the checkpoint, so they can be one epoch ahead of it, never behind.
        return replace(state, members=kept), store.progress(trial.id)[: len(state.rows)]
    if trial.id in store.finished():
        rows = store.rows(trial.id)
        kept = {epoch: load_weights(store.weights(trial.id, epoch)) for epoch in sorted(store.kept(trial.id))}
        return State(epoch=trial.epochs, rows=tuple(rows), members=kept), rows
    return None, []


def _start(trial: Trial, places: Places, store: Store) -> Weights | None:
    """Where the weights of a new trial begin: at its baseline's best epoch, at published weights, or (None) drawn."""
    if trial.parent:
        return load_weights(store.weights(trial.parent, best_epoch(store.rows(trial.parent))))
    return imagenet(trial.model, trial.backbone, places.weights) if trial.weights == "imagenet" else None


def _save(trial: Trial, store: Store, state: State, records: list[Row], safe: set[int]) -> None:
    """Make an epoch safe: what the checkpoint refers to, then the checkpoint; then remove what it needs no more."""
    for epoch in state.members.keys() - safe:
        store.keep(trial.id, epoch, dump_weights(state.members[epoch]))
        safe.add(epoch)
    store.save(trial.id, dump_state(state), records)
    store.drop(trial.id, store.kept(trial.id) - state.members.keys())


def _summary(row: Row) -> Row:
    return {key: row[key] for key in ("split", "f1", "epg", "iou", "seconds") if row.get(key) is not None}


def failure(error: BaseException) -> dict[str, Any]:
    """An exception as data: its cause by class, its message and traceback."""
    cause = "diverged" if isinstance(error, Diverged) else "memory" if device.ran_out_of_memory(error) else "bug"
    text = f"{type(error).__name__}: {error}"
    return {"cause": cause, "error": text, "traceback": "".join(traceback.format_exception(error))}


@contextmanager
def _logged(store: Store, trial: Trial) -> Iterator[None]:
    """Send the trial's log to its own file for the while."""
    file = store.log(trial.id)
    file.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(file)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        handler.close()
