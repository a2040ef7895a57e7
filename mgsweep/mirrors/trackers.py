"""Trackers that a run can be mirrored to. Each is imported when it is asked for, and is an extra to install."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mgsweep.errors import InvalidInput, UnknownName
from mgsweep.mirrors import Event, Outlet
from mgsweep.trial import Trial


def scalars(event: Event) -> Iterator[tuple[str, float]]:
    """(split/name, value) of every number of an epoch."""
    for key, value in event.row.items():
        if key not in ("epoch", "split") and isinstance(value, int | float):
            yield f"{event.row.get('split', 'train')}/{key}", float(value)


class TensorBoard:
    """A folder of events for each trial: `runs/<sweep>/<id>`."""

    name = "TensorBoard"

    def __init__(self, sweep: str, folder: Path = Path("runs")) -> None:
        from tensorboardX import SummaryWriter

        self._make: Callable[[Trial], Any] = lambda trial: SummaryWriter(str(folder / sweep / trial.id))
        self._writers: dict[str, Any] = {}

    def write(self, event: Event) -> None:
        """Numbers of an epoch."""
        if event.trial is None:
            return
        if event.kind == "progressed":
            if event.trial.id not in self._writers:
                self._writers[event.trial.id] = self._make(event.trial)
            for name, value in scalars(event):
                self._writers[event.trial.id].add_scalar(name, value, int(event.row["epoch"]))
        elif event.kind in ("finished", "failed") and (writer := self._writers.pop(event.trial.id, None)):
            writer.close()

    def close(self) -> None:
        """Write out what is open."""
        for writer in self._writers.values():
            writer.close()


class Wandb:
    """A run for each trial, in a project called as the sweep. A trial that is resumed goes on in its run."""

    name = "W&B"

    def __init__(self, sweep: str) -> None:
        import wandb

        self._wandb, self._sweep = wandb, sweep
        self._runs: dict[str, Any] = {}

    def write(self, event: Event) -> None:
        """Numbers of an epoch, and the end."""
        if event.trial is None:
            return
        if event.kind == "progressed":
            if event.trial.id not in self._runs:
                which = {"project": self._sweep, "id": event.trial.id, "resume": "allow", "reinit": "create_new"}
                self._runs[event.trial.id] = self._wandb.init(config=event.trial.to_row(), **which)
            self._runs[event.trial.id].log(dict(scalars(event)) | {"epoch": int(event.row["epoch"])})
        elif event.kind in ("finished", "failed") and (run := self._runs.pop(event.trial.id, None)):
            run.finish(exit_code=int(event.kind == "failed"))

    def close(self) -> None:
        """End what is open; it is resumed when its trial is."""
        for run in self._runs.values():
            run.finish()


class MLflow:
    """A run for each trial, in an experiment called as the sweep, where MLFLOW_TRACKING_URI says."""

    name = "MLflow"

    def __init__(self, sweep: str) -> None:
        import mlflow

        self._client = mlflow.MlflowClient()
        self._sweep = sweep
        self._experiment: str | None = None
        self._runs: dict[str, str] = {}

    def write(self, event: Event) -> None:
        """Numbers of an epoch, and the end."""
        if event.trial is None:
            return
        if event.kind == "progressed":
            run = self._runs.get(event.trial.id) or self._begin(event.trial)
            for name, value in scalars(event):
                self._client.log_metric(run, name, value, step=int(event.row["epoch"]))
        elif event.kind in ("finished", "failed") and (ended := self._runs.pop(event.trial.id, None)):
            self._client.set_terminated(ended, "FINISHED" if event.kind == "finished" else "FAILED")

    def _begin(self, trial: Trial) -> str:
        if self._experiment is None:
            found = self._client.get_experiment_by_name(self._sweep)
            self._experiment = found.experiment_id if found else self._client.create_experiment(self._sweep)
        run: str = self._client.create_run(str(self._experiment), run_name=trial.id).info.run_id
        for key, value in trial.to_row().items():
            self._client.log_param(run, key, value)
        self._runs[trial.id] = run
        return run

    def close(self) -> None:
        """Mark what is open as interrupted."""
        for run in self._runs.values():
            self._client.set_terminated(run, "KILLED")


TRACKERS: dict[str, tuple[Callable[[str], Outlet], str, str]] = {
    "tensorboard": (TensorBoard, "tensorboardX", "tensorboardX"),
    "wandb": (Wandb, "wandb", "mgsweep[wandb]"),
    "mlflow": (MLflow, "mlflow", "mgsweep[mlflow]"),
}
"""By name: what makes one for a sweep, the module it needs, and what to install for it."""


def tracker(name: str, sweep: str) -> Outlet:
    """The tracker of this name.

    Raises:
        UnknownName: there is none.
        InvalidInput: it is not installed.
    """
    if name not in TRACKERS:
        raise UnknownName("mirror", name, TRACKERS)
    make, module, package = TRACKERS[name]
    if importlib.util.find_spec(module) is None:
        raise InvalidInput.of(f"{name} is not installed: pip install '{package}'", where="--mirror")
    return make(sweep)
