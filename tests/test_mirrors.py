"""Trackers and `on_event`: they are told what happens, and nothing that becomes of them reaches a trial."""

from __future__ import annotations

import json
import sys
import threading
import time
import types
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from chaos import Silent
from replay import SECONDS, Replay, plan, row_of
from test_store import BASELINE, GUIDED

from mgsweep import mirrors, runner
from mgsweep.errors import InvalidInput, UnknownName
from mgsweep.mirrors import Event, Mirror, mirrored
from mgsweep.mirrors.command import Command
from mgsweep.mirrors.trackers import MLflow, TensorBoard, Wandb, tracker
from mgsweep.plan import load
from mgsweep.plan.schema import Resources
from mgsweep.runner import Outcome, Places, local
from mgsweep.store import Store

ROW = {"epoch": 1, "split": "val", "f1": 0.5, "epg": 0.25, "device": "a name"}


class Deaf:
    """A listener that hears nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *what: None


class Kept:
    """An outlet that keeps what it is told, after a while or an error if so asked."""

    name = "kept"

    def __init__(self, fails: bool = False, waits: threading.Event | None = None) -> None:
        self.kinds: list[str] = []
        self.rows: list[Mapping[str, Any]] = []
        self._fails, self._waits = fails, waits

    def write(self, event: Event) -> None:
        if self._waits:
            self._waits.wait()
        self.kinds.append(event.kind)
        self.rows += [event.row] if event.row else []
        if self._fails:
            raise ConnectionError("no route to host")

    def close(self) -> None:
        self.kinds.append("closed")


def run(*outlets: Any) -> list[str]:
    """A run of two trials, one of which fails; returns what was said at the end."""
    said: list[str] = []
    with mirrored(Deaf(), "demo", outlets, said.append) as listener:
        listener.started(BASELINE)
        listener.progressed(BASELINE, {**ROW, "trained": True})
        listener.repeated(BASELINE, "lost")
        listener.finished(BASELINE)
        listener.started(GUIDED)
        listener.failed(GUIDED, "KeyError: x")
        listener.ended(Outcome(finished=1, failed=1, blocked=0, unfinished=0))
    return said


def test_an_outlet_hears_everything_in_order() -> None:
    outlet = Kept()
    assert run(outlet) == []
    assert outlet.kinds == ["started", "progressed", "finished", "started", "failed", "done", "closed"]


def test_an_outage_reaches_nobody_else() -> None:
    broken, well = Kept(fails=True), Kept()
    assert run(broken, well) == ["kept missed 6 events (ConnectionError: no route to host); the store has everything"]
    assert len(well.kinds) == 7


def test_an_outlet_that_hangs_costs_no_trial_any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirrors, "PATIENCE", 0.2)
    hanging = threading.Event()
    mirror = Mirror(Kept(waits=hanging), queued=3)
    begun = time.monotonic()
    for _ in range(1000):
        mirror.put(Event("progressed", "demo", BASELINE, ROW))
    assert mirror.dropped >= 996
    mirror.close(time.monotonic() + 0.1)
    assert time.monotonic() - begun < 5
    assert mirror.dropped >= 999
    hanging.set()


def test_a_breaker_is_told_and_an_interruption_is_not() -> None:
    """Nor is a budget that is used up, whose exit code is the breaker's. What is done is done, whatever ended it."""
    breaks = {"stopped": "9 equal failures", "code": 1, "broken": True}
    used_up = {"stopped": "--budget 3h is used up", "code": 1}
    assert told_of(unfinished=5, **breaks) == ["breaker"]
    assert told_of(unfinished=5, **used_up) == []
    assert told_of(unfinished=5, stopped="interrupted", code=130) == []
    assert told_of(unfinished=0, **used_up) == ["done"]


def told_of(unfinished: int, **ending: Any) -> list[str]:
    """What an outlet is told of such an end of a run."""
    outlet = Kept()
    with mirrored(Deaf(), "demo", [outlet], print) as listener:
        listener.ended(Outcome(finished=1, failed=9, blocked=0, unfinished=unfinished, **ending))
    return outlet.kinds[:-1]


def test_every_epoch_is_told_once_with_its_own_scores(tmp_path: Path) -> None:
    """Kept epochs are measured again at the end, which is no further epoch. Nor are the driver's own flags scores."""
    planned, outlet = plan(2, epochs=40, children=1), Kept()
    baseline, child = planned.trials
    with mirrored(Silent(), "demo", [outlet], print) as listener:
        local.run(runner.agenda(planned, Store(tmp_path)), Places(tmp_path), listener, Resources(), Replay())
    validated = [row_of(trial, epoch, "val") for trial in (baseline, child) for epoch in range(1, 41)]
    seconds = {"seconds": 2 * SECONDS}
    own = [{key: row[key] for key in ("epoch", "split", "f1", "epg", "iou") if key in row} for row in validated]
    assert outlet.rows == [row | seconds for row in own]


# on_event


def script(folder: Path) -> list[str]:
    code = (
        "import sys, pathlib; folder = pathlib.Path(sys.argv[1]);"
        "folder.joinpath(str(len(list(folder.iterdir())))).write_text(sys.stdin.read())"
    )
    return [sys.executable, "-c", code, str(folder)]


def test_a_command_gets_the_event_as_json(tmp_path: Path) -> None:
    assert run(Command(script(tmp_path))) == []
    told = [json.loads(file.read_text()) for file in sorted(tmp_path.iterdir())]
    assert [event["event"] for event in told] == ["failed", "done"]
    assert told[0]["trial"]["id"] == GUIDED.id
    assert told[0]["trial"]["loss"] == "energy"
    assert (told[0]["sweep"], told[0]["error"], told[1]["trial"]) == ("demo", "KeyError: x", None)


def test_arguments_are_no_shell(tmp_path: Path) -> None:
    folder = tmp_path / "$(touch ran); `touch ran`"
    folder.mkdir()
    assert run(Command(script(folder))) == []
    assert len(list(folder.iterdir())) == 2
    assert not list(tmp_path.glob("**/ran"))


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (["/nowhere/command"], "FileNotFoundError"),
        ([sys.executable, "-c", "raise SystemExit(3)"], "CalledProcessError"),
        ([sys.executable, "-c", "import time; time.sleep(60)"], "TimeoutExpired"),
    ],
)
def test_a_command_that_fails_is_said_and_nothing_more(command: list[str], reason: str) -> None:
    (said,) = run(Command(command, timeout=1.0))
    assert f"on_event missed 2 events ({reason}" in said


@pytest.mark.parametrize("wrong", ["notify", "[3]", "[[a]]", "{done: a}", '[""]', '["a\\0b"]'])
def test_on_event_is_a_list_of_arguments(tmp_path: Path, wrong: str) -> None:
    file = tmp_path / "sweep.yaml"
    text = "on_event: {}\ngrids: [{{dataset: shapes, model: bcos}}]"
    file.write_text(text.format(wrong))
    with pytest.raises(InvalidInput, match="on_event"):
        load(file)
    file.write_text(text.format("[notify-send, mgsweep]"))
    assert load(file).on_event == ("notify-send", "mgsweep")


# Trackers


def events() -> Iterator[Event]:
    for epoch in (1, 2):
        yield Event("progressed", "demo", BASELINE, {**ROW, "epoch": epoch})
    yield Event("finished", "demo", BASELINE)
    yield Event("progressed", "demo", GUIDED, ROW)
    yield Event("failed", "demo", GUIDED, error="x")
    yield Event("done", "demo")


def test_tensorboard_writes_event_files(tmp_path: Path) -> None:
    board = TensorBoard("demo", tmp_path)
    for event in events():
        board.write(event)
    board.close()
    (file,) = (tmp_path / "demo" / BASELINE.id).iterdir()
    from tensorboardX.proto.event_pb2 import Event as Record

    found, content = [], file.read_bytes()
    while content:  # length, its checksum, the record, its checksum
        length = int.from_bytes(content[:8], "little")
        record = Record.FromString(content[12 : 12 + length])
        found += [(record.step, value.tag, round(value.simple_value, 4)) for value in record.summary.value]
        content = content[16 + length :]
    assert found == [(epoch, tag, value) for epoch in (1, 2) for tag, value in (("val/f1", 0.5), ("val/epg", 0.25))]
    assert (tmp_path / "demo" / GUIDED.id).exists()


def test_mlflow_keeps_runs_in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a package that is not ours
        mlflow = pytest.importorskip("mlflow")
        board = MLflow("demo")
        for event in events():
            board.write(event)
        board.close()
        client = mlflow.MlflowClient()
        experiment = client.get_experiment_by_name("demo")
        runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert {name: run.info.status for name, run in runs.items()} == {BASELINE.id: "FINISHED", GUIDED.id: "FAILED"}
    assert runs[GUIDED.id].data.params["loss"] == "energy"
    assert runs[BASELINE.id].data.metrics == {"val/f1": 0.5, "val/epg": 0.25}


def test_wandb_is_resumed_by_the_trials_id(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []

    class Run:
        def log(self, values: dict[str, float]) -> None:
            calls.append(("log", values))

        def finish(self, exit_code: int | None = None) -> None:
            calls.append(("finish", exit_code))

    def init(**options: Any) -> Run:
        calls.append(("init", options["project"], options["id"], options["resume"], options["config"]["model"]))
        return Run()

    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(init=init))
    board = Wandb("demo")
    for event in events():
        board.write(event)
    board.close()
    assert calls == [
        ("init", "demo", BASELINE.id, "allow", "bcos"),
        ("log", {"val/f1": 0.5, "val/epg": 0.25, "epoch": 1}),
        ("log", {"val/f1": 0.5, "val/epg": 0.25, "epoch": 2}),
        ("finish", 0),
        ("init", "demo", GUIDED.id, "allow", "bcos"),
        ("log", {"val/f1": 0.5, "val/epg": 0.25, "epoch": 1}),
        ("finish", 1),
    ]


def test_a_tracker_that_there_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownName, match="did you mean 'mlflow'"):
        tracker("mlflwo", "demo")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InvalidInput, match="wandb is not installed: pip install 'mgsweep\\[wandb\\]'"):
        tracker("wandb", "demo")
