"""The loop of a run in this process, one trial after the other: for laptops, tests and debuggers."""

from __future__ import annotations

from functools import partial

from mgsweep.plan.schema import Resources
from mgsweep.runner import Agenda, Listener, Outcome
from mgsweep.runner.execution import Training, execute, train_on_data
from mgsweep.runner.places import Places


def run(
    agenda: Agenda,
    places: Places,
    listener: Listener,
    resources: Resources,
    training: Training = train_on_data,
) -> Outcome:
    """Run what is on the agenda. A failing trial does not stop the others; Ctrl-C does, its epochs are kept.

    Raises:
        KeyboardInterrupt: passed on.
    """
    schedule, finished, failed = agenda.schedule(), 0, 0
    while trial := schedule.next():
        listener.started(trial)
        try:
            for row in execute(trial, places, resources.threads, partial(training, **resources.memory)):
                listener.progressed(trial, row)
        except Exception as error:
            schedule.fail(trial)
            failed += 1
            listener.failed(trial, f"{type(error).__name__}: {error}")
        else:
            schedule.finish(trial)
            finished += 1
            listener.finished(trial)
    return Outcome.of(schedule, finished, failed)
