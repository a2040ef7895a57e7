"""How far every planned trial is, as the files tell it."""

from __future__ import annotations

from mgsweep.store import Store

STATES = ("done", "running", "interrupted", "failed", "waiting")


def state_of(store: Store) -> dict[str, str]:
    """The state of every planned trial, by id, as the files tell it."""
    done, begun, failures = store.finished(), store.begun(), store.failures()
    states = {}
    for trial in store.planned():
        if trial.id in done:
            states[trial.id] = "done"
        elif trial.id in begun and store.is_held(trial.id):
            states[trial.id] = "running"
        elif trial.id in failures:
            states[trial.id] = "failed"
        else:
            states[trial.id] = "interrupted" if trial.id in begun else "waiting"
    return states
