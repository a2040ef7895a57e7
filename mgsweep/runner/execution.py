"""One trial in one process: resume or begin, save every epoch, publish the record. Knows nothing of Ray."""

from __future__ import annotations

import errno
import logging
import os
import platform
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mgsweep.best import best_epoch
from mgsweep.errors import Diverged, MgsweepError, StoreError
from mgsweep.guidance import device
from mgsweep.guidance.checkpoint import dump_state, dump_weights, load_state, load_weights
from mgsweep.guidance.datasets.cache import prepare
from mgsweep.guidance.models.weights import initial
from mgsweep.guidance.training import Epoch, State, Weights, guided_training, is_complete
from mgsweep.runner.pictures import hang_if_possible
from mgsweep.runner.places import Places
from mgsweep.runner.provenance import provenance
from mgsweep.store import GENERATIONS, Busy, Lease, Store
from mgsweep.trial import Trial

if TYPE_CHECKING:
    import torch

log = logging.getLogger("mgsweep.trial")
log.propagate = False  # it goes to the trial's own file

Row = dict[str, Any]


Training = Callable[..., Iterator[Epoch]]
"""What makes a trial's epochs: a function with the arguments of `train_on_data`, which pickle can find by name."""


NO_SAVING: Mapping[str, Any] = MappingProxyType({})


class Preempted(MgsweepError):
    """The process was told to go, and went between two epochs."""


def train_on_data(
    trial: Trial, places: Places, *, start: Weights | None, resume: State | None, device: torch.device, **memory: Any
) -> Iterator[Epoch]:
    """The real training: `guided_training` on the decoded data set. The other arguments are explained there."""
    data = prepare(trial.dataset, places.root(trial.dataset), trial.image_size, places.cache)
    return guided_training(trial, data, start=start, resume=resume, device=device, **memory)


def execute(
    trial: Trial,
    places: Places,
    threads: int = 1,
    training: Training = train_on_data,
    memory: Mapping[str, Any] = NO_SAVING,
    over: int = 0,
) -> Generator[Row]:
    """Train a trial, yielding the scores and seconds of every epoch once that epoch is safe on disk.

    After the last epoch, kept ones are measured: then the scores are of one of these, and `trained` is not set. The
    last that are yielded have `published` set: the record is there, the trial done, and they are its best epoch's.

    Args:
        training: makes the epochs. Orchestration is measured with one that replays recorded curves.
        memory: how the training saves memory, as arguments of `guided_training`.
        over: number of a dead lease to take over, see `Store.lease`.

    Raises:
        Busy: another process holds the trial, or has taken it over.
        Exception: whatever went wrong; it has been written to the store's failures.
    """
    store = Store(places.results)
    if store.is_done(trial):  # by another driver; a lease would leave an empty folder behind
        return
    with store.lease(trial.id, over) as lease, _logged(store, trial):
        if lease is None:
            raise Busy(f"trial {trial.id} is being trained by another process")
        if store.is_done(trial):
            return
        store.tidy(trial.id)
        try:
            with lease.renewed():
                train = partial(training, device=device.choose(threads), **memory)
                yield from _epochs(trial, places, store, lease, train)
            if training is train_on_data:
                hang_if_possible(trial, places, train.keywords["device"])
        except Busy:
            log.warning("left: another process has taken the trial over")
            raise
        except Exception as error:
            log.exception("failed")
            with suppress(OSError):  # on a full disk; then nothing speaks against running the trial again
                store.fail(trial.id, {**failure(error), "log": str(store.log(trial.id))})
            raise


def _epochs(trial: Trial, places: Places, store: Store, lease: Lease, train: partial[Iterator[Epoch]]) -> Iterator[Row]:
    on = train.keywords["device"]
    described = {"sweep": store.path.name, "id": trial.id, **trial.to_row(), **provenance(on)}
    resume, records = _left_off(trial, store, described)
    start = _start(trial, places, store) if resume is None else None
    members = set(resume.members) if resume else set()
    log.info("%s from epoch %d on %s", "resumed" if resume else "started", resume.epoch if resume else 0, on)
    done = False
    for epoch in train(trial, places, start=start, resume=resume):
        lease.check()
        records += [{**described, **row} for row in epoch.rows]
        if done := is_complete(trial, epoch.state):  # nothing is left to resume: the record makes the last rows safe
            _publish(trial, store, records, set(epoch.state.members))
        else:
            _save(trial, store, epoch.state, records, members)
        members = set(epoch.state.members)
        scores = _scores(trial, records, best_epoch(records) if done else epoch.number)
        log.info("epoch %d: %s", epoch.number, scores)
        trained = any(row["split"] == "train" for row in epoch.rows)
        told = {"epoch": epoch.state.epoch, **scores, "seconds": _seconds(epoch.rows)}
        yield {**told, "trained": trained, "published": done}
    if not done:
        lease.check()
        _publish(trial, store, records, members)
    log.info("done")


def _publish(trial: Trial, store: Store, records: list[Row], members: set[int]) -> None:
    store.drop(trial.id, store.kept(trial.id) - members)
    store.commit(trial.id, records)


def _left_off(trial: Trial, store: Store, described: Row) -> tuple[State | None, list[Row]]:
    """What is there of the trial: an interrupted run, a record that lacks a probe, or nothing.

    What cannot be trusted is set aside: the newest checkpoint for the one before, and that for the beginning.
    """
    record = _record(trial, store)
    for generation in GENERATIONS:
        try:
            state = _state(trial, store, generation)
        except StoreError as error:
            log.warning("cannot resume from %s: %s", generation, error)
            store.set_aside(trial.id, str(error), generation)
            continue
        # One that is not ahead of the record was only left over when the record was published.
        if state and (record is None or len(state.rows) > len(record.rows)):
            return state, _rows(state, store.progress(trial.id), described)
    return record, store.rows(trial.id) if record else []


def _record(trial: Trial, store: Store) -> State | None:
    """The end of a trial whose record lacks a probe, as a state to measure that from: of its best epoch at least."""
    if not store.has_record(trial.id):
        return None
    try:
        # A state is read back as plain numbers and text, which a time is not.
        rows = tuple({key: value for key, value in row.items() if key != "started"} for row in store.rows(trial.id))
        epochs = sorted(store.kept(trial.id) | {best_epoch(rows)})
        return State(epoch=trial.epochs, rows=rows, members=_members(trial, store, epochs))
    except StoreError as error:
        log.warning("the trial begins anew: %s", error)
        store.set_aside(trial.id, str(error))
        return None


def _state(trial: Trial, store: Store, generation: str) -> State | None:
    content = store.checkpoint(trial.id, generation)
    if content is None:
        return None
    state, epochs = load_state(content, {})
    return replace(state, members=_members(trial, store, epochs))


def _members(trial: Trial, store: Store, epochs: Iterable[int]) -> dict[int, Weights]:
    return {epoch: load_weights(store.weights(trial.id, epoch)) for epoch in epochs}


def _rows(state: State, progress: list[Row], described: Row) -> list[Row]:
    """The rows as they were saved: before the checkpoint, so there may be more of them than it knows, but never fewer.

    If there are, the file is damaged. The measured values are in the checkpoint too, only their provenance is not.
    """
    if len(progress) < len(state.rows):
        return [{**described, **row} for row in state.rows]
    return progress[: len(state.rows)]


def _start(trial: Trial, places: Places, store: Store) -> Weights | None:
    """Where the weights of a new trial begin: at its baseline's best epoch, at the weights of a file, or (None) drawn.

    Raises:
        StoreError: the baseline's weights are damaged. Its record is set aside, so that the next run trains it again.
    """
    if not trial.parent or trial.start == "weights":
        file = places.weights_of(trial)
        return initial(trial.model, trial.backbone, file) if file else None
    try:
        validated = store.rows(trial.parent, ("id", "epoch", "split", "f1", "accuracy"))
        return load_weights(store.weights(trial.parent, best_epoch(validated)))
    except StoreError as error:
        with store.lease(trial.parent) as ours:
            if ours:
                store.set_aside(trial.parent, str(error))
        raise


def _save(trial: Trial, store: Store, state: State, records: list[Row], before: set[int]) -> None:
    """Make an epoch safe: what the checkpoint refers to, then the checkpoint; then remove what it needs no more.

    Args:
        before: the members of the checkpoint before, which may be needed should the new one be damaged.
    """
    for epoch in state.members.keys() - before:
        store.keep(trial.id, epoch, dump_weights(state.members[epoch]))
    store.save(trial.id, dump_state(state), records)
    store.drop(trial.id, store.kept(trial.id) - state.members.keys() - before)


def _scores(trial: Trial, records: list[Row], number: int) -> Row:
    """What is told of an epoch: its validation, for test is not what anybody should choose by, at the own probe."""
    own = (trial.attribution, trial.depth)
    validated = [row for row in records if (row["epoch"], row["split"]) == (number, "val")]
    at_own = [row for row in validated if (row["probe_attribution"], row["probe_depth"]) == own]
    row = (at_own or validated)[0]
    return {key: row[key] for key in ("split", "f1", "epg", "iou") if row.get(key) is not None}


def _seconds(rows: Iterable[Row]) -> float:
    """The time of an epoch: rows of one measurement share theirs, and differ in their probe alone."""
    return sum({row["split"]: row.get("seconds") or 0.0 for row in rows}.values())


DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.ESTALE, errno.ELOOP}


def failure(error: BaseException) -> dict[str, Any]:
    """An exception as data: its cause by class, its message and traceback, and where it was raised."""
    text = f"{type(error).__name__}: {error}"
    where = {"host": platform.node(), "pid": os.getpid()}
    return {"cause": _cause(error), "error": text, "traceback": "".join(traceback.format_exception(error)), **where}


def _cause(error: BaseException) -> str:
    if isinstance(error, Diverged):
        return "diverged"
    if isinstance(error, Preempted):
        return "preempted"
    if isinstance(error, StoreError):
        return "damaged"
    if isinstance(error, OSError) and error.errno in DISK:
        return "disk"
    return "memory" if device.ran_out_of_memory(error) else "bug"


@contextmanager
def _logged(store: Store, trial: Trial) -> Iterator[None]:
    """Send the trial's log to its own file for the while."""
    handler = logging.FileHandler(store.log(trial.id))
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        handler.close()
