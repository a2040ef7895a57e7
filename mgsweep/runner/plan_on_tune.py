"""The plan on Ray Tune. Tune executes, mgsweep decides: it is handed one ready attempt after the other.

Tune's own state, loggers, retries and checkpoints stay unused: the store is the truth, a new run is plan minus done.
Import this after `connection.configure`: Ray reads its environment when it is imported.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import ray
from ray import cloudpickle, tune
from ray.exceptions import ActorUnavailableError, RayActorError, RayTaskError
from ray.tune.experiment import Trial as TuneTrial
from ray.tune.progress_reporter import TrialProgressCallback
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from mgsweep.plan.schema import Resources
from mgsweep.runner.dispatch import Attempt, Dispatch
from mgsweep.runner.execution import Preempted, Training, execute, failure
from mgsweep.runner.nodes import kill, lives
from mgsweep.runner.places import Places
from mgsweep.store import Busy, Store
from mgsweep.trial import Trial

SCRATCH = ".ray"
"""Where Tune keeps its own files: among the results, as every node must see them. Deletable at any time."""


REMEMBERED = 100
"""As many trials as Tune may hold before those that ended are taken from it."""

_CREATION = "error raised in its creation task"

_HUNG = "no epoch for {:.1f} min: killed as hung; if one may take so long, raise resources.timeout (seconds)"


class PlanSearcher(Searcher):
    """Hands Tune the next attempt that is ready: nothing while none is, the end when none will be.

    One that has to wait costs Tune a placement group, which it gives back when another trial's actor takes it up.
    """

    def __init__(self, dispatch: Dispatch, at_once: float) -> None:
        super().__init__()
        self._dispatch, self._at_once = dispatch, at_once
        self.trials: dict[str, Trial] = {}
        self.cut: set[str] = set()

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]  # FINISHED is a string
        """The next attempt as Tune's config."""
        attempt = self._dispatch.next(self._at_once)
        if attempt is None:
            return Searcher.FINISHED if self._dispatch.over else None
        self.trials[trial_id] = attempt.trial
        return _to_config(attempt)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Nothing: `Relay` knows more of how it ended."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: a new run derives everything from the store."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore."""


def _to_config(attempt: Attempt) -> dict[str, Any]:
    fields = attempt.trial.model_dump(exclude_defaults=True)
    return {"trial": fields, "memory": attempt.share.memory, "gpu": attempt.share.gpu, "over": attempt.over}


class TrialRun(tune.Trainable):
    """One trial after the other in one actor; a step is an epoch."""

    def setup(  # type: ignore[override]
        self, config: dict[str, Any], places: Places, threads: int, training: Training
    ) -> None:
        """Take up the first trial."""
        self._places, self._threads, self._training = places, threads, training
        self._told_to_go, self._node = False, ray.get_runtime_context().get_node_id()
        signal.signal(signal.SIGTERM, self._on_sigterm)
        self.reset_config(config)

    def _on_sigterm(self, *_: object) -> None:
        self._told_to_go = True

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take up the next trial: a reused actor saves starting a process and importing torch."""
        trial = Trial(**new_config["trial"])
        memory, over = new_config["memory"], new_config["over"]
        self._epochs = execute(trial, self._places, self._threads, self._training, memory, over)
        return True

    def step(self) -> dict[str, Any]:
        """Train one epoch. A trial that was done already has nothing to report but that.

        Raises:
            Preempted: this process got SIGTERM, and the epoch before is safe.
        """
        if self._told_to_go:
            self._epochs.throw(Preempted("the worker was told to go (SIGTERM)"))
        row = next(self._epochs, {"published": True})
        if row["published"]:
            next(self._epochs, None)  # what follows the record
        return {**row, "node": self._node, "done": row["published"]}

    def cleanup(self) -> None:
        """Let go of the trial's lease."""
        self._epochs.close()


class Order(FIFOScheduler):
    """Ends trials early, or when the run is to stop; has Tune forget those that ended: it would keep them in memory."""

    def __init__(self, searcher: PlanSearcher, dispatch: Dispatch) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._searcher, self._dispatch = searcher, dispatch

    def on_trial_result(self, tune_controller: Any, trial: TuneTrial, result: dict[str, Any]) -> str:
        """After each epoch but the last, which `Relay` hears of: go on, or stop here."""
        ours = self._searcher.trials[trial.trial_id]
        self._dispatch.progressed(ours, result)  # before it is judged
        if self._dispatch.cuts(ours, int(result["epoch"])):
            self._searcher.cut.add(trial.trial_id)
        stop = trial.trial_id in self._searcher.cut or self._dispatch.leaves(ours)
        return str(TrialScheduler.STOP if stop else TrialScheduler.CONTINUE)

    def choose_trial_to_run(self, tune_controller: Any) -> TuneTrial | None:
        """Called at every turn of Tune's loop, which starts those that wait without asking anyone."""
        ends = self._dispatch.is_to_end()
        for trial in list(tune_controller.get_live_trials()):
            if trial.status == TuneTrial.PENDING:
                stops = ends or self._dispatch.withdraws(self._searcher.trials[trial.trial_id])
            else:
                stops = ends and self._dispatch.stop.overdue
            if stops:
                tune_controller.stop_trial(trial)
        if ends:
            return None
        _forget(tune_controller)
        return super().choose_trial_to_run(tune_controller)


def _forget(controller: Any) -> None:
    """Take trials that ended out of Tune's hands: of 10,000 it would keep 1.4 GB, and look through them all again."""
    trials: list[TuneTrial] = controller.get_trials()
    if len(trials) < REMEMBERED:
        return
    inner = controller._tune_controller
    for trial in [trial for trial in trials if trial.is_finished()]:
        for kept in (inner._stopped_trials, inner._failed_trials, inner._trials_to_cache):
            kept.discard(trial)
        inner._trial_metadata.pop(trial.trial_id, None)
    trials[:] = [trial for trial in trials if not trial.is_finished()]


class Relay(TrialProgressCallback):
    """Tells the dispatch what becomes of its attempts, and why an attempt ended whose worker did not live to say.

    It takes the place of the callback of which it is one, and which keeps every trial there ever was.
    """

    def __init__(self, searcher: PlanSearcher, dispatch: Dispatch, store: Store) -> None:
        self._searcher, self._dispatch, self._store = searcher, dispatch, store
        self._killed: dict[str, float] = {}
        self._node: dict[str, str] = {}
        self._on_sigusr1 = signal.getsignal(signal.SIGUSR1)

    def setup(self, *arguments: Any, **info: Any) -> None:
        """Take back the signal that Tune has taken."""
        signal.signal(signal.SIGUSR1, self._on_sigusr1)

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its callbacks for a restore that never happens."""
        return {}

    def on_step_begin(self, iteration: int, trials: Any, **info: Any) -> None:
        for trial, seconds in self._dispatch.overdue():
            if trial.id not in self._killed and (found := self._store.holder(trial.id)):
                self._killed[trial.id] = seconds
                kill(found)

    def on_trial_start(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        self._dispatch.begun(self._searcher.trials[trial.trial_id])

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: dict[str, Any], **info: Any) -> None:
        ours = self._searcher.trials[trial.trial_id]
        if "epoch" in result:
            self._node[ours.id] = result["node"]
            if result["published"]:
                self._dispatch.progressed(ours, result)

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        ours = self._searcher.trials.pop(trial.trial_id)
        self._node.pop(ours.id, None)
        if trial.trial_id in self._searcher.cut:
            self._dispatch.cut(ours)
        elif (trial.last_result or {}).get("published"):
            self._dispatch.finished(ours)
        else:
            self._dispatch.left(ours)

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        ours, error = self._searcher.trials.pop(trial.trial_id), _error_of(trial)
        if isinstance(error, Busy):
            self._dispatch.left(ours, error)
        else:
            self._dispatch.failed(ours, self._failure(ours, error))

    def _failure(self, trial: Trial, error: Exception) -> dict[str, Any]:
        if not isinstance(error, RayActorError):
            return failure(error)
        lines = str(error).strip().splitlines()
        message = lines[-1].strip() if _CREATION in str(error) else lines[0]
        hung = self._killed.pop(trial.id, None)
        if hung is None:
            found = {**failure(error), "cause": self._cause(trial, error), "error": message}
        else:
            found = {**failure(error), "cause": "timeout", "error": _HUNG.format(hung / 60)}
        self._store.fail(trial.id, {**found, "traceback": str(error), "log": str(self._store.log(trial.id))})
        return found

    def _cause(self, trial: Trial, error: Exception) -> str:
        """Why there is no worker any more."""
        if "low on memory" in str(error):  # Ray's memory monitor, so that the kernel need not kill at random
            return "memory"
        if _CREATION in str(error):
            return "bug"
        gone = "its node has died" in str(error) or getattr(error, "preempted", False)
        # A connection that broke is all that is known of a node's death until Ray's health check has missed it often.
        patience = 30.0 if isinstance(error, ActorUnavailableError) else 0.0
        return "lost" if gone or not lives(self._node.pop(trial.id, ""), patience) else "died"


def _error_of(trial: TuneTrial) -> Exception:
    """What Tune caught, from the file where it has just put it, in this process' own temporary folder."""
    try:
        error: Exception = cloudpickle.loads(Path(trial.pickled_error_file).read_bytes())
        return error.cause if isinstance(error, RayTaskError) else error  # not Ray's account of it, but what was raised
    except (OSError, TypeError):
        return RuntimeError("the attempt ended by an error that Ray does not tell")


def tuner(
    dispatch: Dispatch, places: Places, resources: Resources, training: Training, name: str, at_once: float
) -> tune.Tuner:
    """A Tuner that runs what the dispatch hands out.

    Args:
        at_once: so many attempts are handed out at most.
        name: of the folder for its own files, in a corner of the results that can be deleted.
    """
    searcher = PlanSearcher(dispatch, at_once)
    trainable = tune.with_parameters(TrialRun, places=places, threads=resources.threads, training=training)
    return tune.Tuner(
        tune.with_resources(
            trainable, lambda config: tune.PlacementGroupFactory([{"CPU": resources.cpu, "GPU": config["gpu"]}])
        ),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=Order(searcher, dispatch),
            num_samples=-1,
            reuse_actors=True,
            trial_dirname_creator=lambda trial: str(trial.trial_id),
        ),
        run_config=tune.RunConfig(
            name=name,
            storage_path=str(places.results / SCRATCH),
            verbose=0,
            callbacks=[Relay(searcher, dispatch, Store(places.results))],
            failure_config=tune.FailureConfig(max_failures=0),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
        ),
    )
