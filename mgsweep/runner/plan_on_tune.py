"""The plan on Ray Tune. Tune executes, mgsweep decides: it is handed one ready trial after the other.

Tune's own state, loggers, retries and checkpoints stay unused: the store is the truth, a new run is plan minus done.
Import this after `cluster.configure`: Ray reads its environment when it is imported.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from ray import tune
from ray.exceptions import RayActorError
from ray.tune.search import Searcher

from mgsweep.plan.schema import Resources
from mgsweep.runner import Listener
from mgsweep.runner.execution import Training, execute
from mgsweep.runner.places import Places
from mgsweep.runner.schedule import Schedule
from mgsweep.store import Store
from mgsweep.trial import Trial

SCRATCH = ".ray"
"""Where Tune keeps its own files: among the results, as every node must see them. Deletable at any time."""


class PlanSearcher(Searcher):
    """Hands Tune the next trial of a schedule whose parent is done: nothing while none is, the end when all are."""

    def __init__(self, schedule: Schedule) -> None:
        super().__init__()
        self._schedule = schedule
        self.running: dict[str, Trial] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]  # FINISHED is a string
        """The fields of the next trial as Tune's config."""
        trial = self._schedule.next()
        if trial is None:
            return Searcher.FINISHED if self._schedule.settled else None
        self.running[trial_id] = trial
        return trial.model_dump()

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Tell the schedule; what Tune stopped before its end, as at Ctrl-C, stays unfinished."""
        trial = self.running.pop(trial_id)
        if error:
            self._schedule.fail(trial)
        elif result and result.get("done"):
            self._schedule.finish(trial)

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: a new run derives everything from the store."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore."""


class TrialRun(tune.Trainable):
    """One trial after the other in one actor; a step is an epoch."""

    def setup(  # type: ignore[override]
        self, config: dict[str, Any], places: Places, threads: int, training: Training
    ) -> None:
        """Take up the first trial."""
        self._places, self._threads, self._training = places, threads, training
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take up the next trial: a reused actor saves starting a process and importing torch."""
        self._epochs = execute(Trial(**new_config), self._places, self._threads, self._training)
        return True

    def step(self) -> dict[str, Any]:
        """Train one epoch; past the last there is nothing to report but the end."""
        row = next(self._epochs, None)
        return {**row, "done": False} if row else {"done": True}

    def cleanup(self) -> None:
        """Let go of the trial's lock."""
        self._epochs.close()


class Relay(tune.Callback):
    """Tells the listener, and writes down the failures that no worker lived to write."""

    def __init__(self, searcher: PlanSearcher, store: Store, listener: Listener) -> None:
        self._searcher, self._store, self._listener = searcher, store, listener
        self._trials: dict[str, Trial] = {}
        self.finished = self.failed = 0

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its callbacks for a restore that never happens, and a live screen cannot be."""
        return {}

    def on_trial_start(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        self._trials[trial.trial_id] = self._searcher.running[trial.trial_id]
        self._listener.started(self._trials[trial.trial_id])

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: dict[str, Any], **info: Any) -> None:
        if not result.get("done"):
            self._listener.progressed(self._trials[trial.trial_id], result)

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        if (trial.last_result or {}).get("done"):
            self.finished += 1
            self._listener.finished(self._trials.pop(trial.trial_id))

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        ours, error = self._trials.pop(trial.trial_id), trial.get_pickled_error()
        self.failed += 1
        if isinstance(error, RayActorError):
            message = str(error).splitlines()[0]
            self._store.fail(ours.id, {"cause": "lost", "error": message, "traceback": str(error)})
        failure = self._store.failures().get(ours.id, {"error": str(error)})
        self._listener.failed(ours, failure["error"])


def tuner(searcher: PlanSearcher, relay: Relay, places: Places, resources: Resources, training: Training) -> tune.Tuner:
    """A Tuner that runs what the searcher hands out, its own files in a corner of the results that can be deleted."""
    training = partial(training, **resources.memory)
    trainable = tune.with_parameters(TrialRun, places=places, threads=resources.threads, training=training)
    bundle = {"CPU": resources.cpu, "GPU": resources.gpu}
    return tune.Tuner(
        tune.with_resources(trainable, tune.PlacementGroupFactory([bundle])),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            num_samples=-1,
            reuse_actors=True,
            trial_dirname_creator=lambda trial: str(trial.trial_id),
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(places.results / SCRATCH),
            verbose=0,
            callbacks=[relay],
            failure_config=tune.FailureConfig(max_failures=0),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
        ),
    )
