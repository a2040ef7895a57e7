"""The loop of a run in this process, one trial after the other: for laptops, tests and debuggers."""

from __future__ import annotations

import time
from contextlib import closing

from mgsweep.plan.schema import Resources
from mgsweep.runner import Agenda, Listener, Outcome
from mgsweep.runner.dispatch import Attempt, Dispatch
from mgsweep.runner.execution import Training, execute, failure, train_on_data
from mgsweep.runner.limits import Limits
from mgsweep.runner.places import Places
from mgsweep.runner.stopping import Stop
from mgsweep.store import Busy, Store


def run(
    agenda: Agenda,
    places: Places,
    listener: Listener,
    resources: Resources,
    training: Training = train_on_data,
    stop: Stop | None = None,
    limits: Limits | None = None,
) -> Outcome:
    """Run what is on the agenda. A failing trial does not stop the others.

    Args:
        training: makes the epochs of a trial.
        stop: ends the run at the end of an epoch when it is asked to.
    """
    dispatch = Dispatch(agenda, Store(places.results), resources, listener, stop, limits)
    while not dispatch.over:
        if attempt := dispatch.next():
            _run(attempt, dispatch, places, resources.threads, training)
        elif not dispatch.over:
            time.sleep(0.5)  # another driver has what is left
    return dispatch.outcome()


def _run(attempt: Attempt, dispatch: Dispatch, places: Places, threads: int, training: Training) -> None:
    trial = attempt.trial
    dispatch.begun(trial)
    cut = False
    epochs = execute(trial, places, threads, training, attempt.share.memory, attempt.over)
    try:
        with closing(epochs):
            for row in epochs:
                dispatch.progressed(trial, row)
                if cut := dispatch.cuts(trial, int(row["epoch"])):
                    break
                if not row["published"] and dispatch.leaves(trial):
                    return dispatch.left(trial)
    except Busy as busy:
        dispatch.left(trial, busy)
    except Exception as error:
        dispatch.failed(trial, failure(error))
    else:
        dispatch.cut(trial) if cut else dispatch.finished(trial)
