"""Runs in this process: the whole path from a sweep file to records, interrupted, extended, failing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from mgsweep import runner
from mgsweep.best import best_epoch
from mgsweep.errors import InvalidInput
from mgsweep.guidance.checkpoint import load_weights
from mgsweep.guidance.datasets.cache import Data
from mgsweep.guidance.training import Epoch
from mgsweep.plan import Plan, load
from mgsweep.plan.schema import Resources
from mgsweep.runner import Outcome, Places, execution, local, preflight
from mgsweep.runner.execution import execute
from mgsweep.store import Busy, Store
from mgsweep.trial import Trial

TIMES = ["seconds", "peak_memory", "started"]


class Recorder:
    """A listener that remembers; `stop_after` epochs it interrupts like Ctrl-C."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.events: list[tuple[str, str]] = []
        self.epochs, self._stop_after = 0, stop_after

    def started(self, trial: Trial) -> None:
        self.events.append(("started", trial.id))

    def progressed(self, trial: Trial, row: dict[str, Any]) -> None:
        self.epochs += 1
        if self.epochs == self._stop_after:
            raise KeyboardInterrupt

    def finished(self, trial: Trial) -> None:
        self.events.append(("finished", trial.id))

    def failed(self, trial: Trial, error: str) -> None:
        self.events.append(("failed", error))

    def repeated(self, trial: Trial, error: str) -> None:
        self.events.append(("repeated", error))

    def left(self, trial: Trial) -> None:
        self.events.append(("left", trial.id))


def run(plan: Plan, store: Store, listener: Recorder | None = None) -> Outcome:
    agenda = runner.agenda(plan, store)
    places = Places(store.path, plan.data)
    preflight.check(agenda.to_run, places)
    store.begin(plan.text, plan.trials)
    return local.run(agenda, places, listener or Recorder(), plan.resources)


def measured(store: Store) -> pd.DataFrame:
    """The records without what depends on the clock."""
    return store.frame().drop(columns=TIMES)


def test_a_sweep_from_beginning_to_end(sweep: Path, tmp_path: Path) -> None:
    plan, store = load(sweep), Store(tmp_path / "results" / "tiny")
    assert run(plan, store) == Outcome(finished=6, failed=0, blocked=0, unfinished=0)
    frame = store.frame()
    assert set(frame.id) == {trial.id for trial in plan.trials}
    assert not frame.duplicated(["id", "epoch", "split", "probe_attribution", "probe_depth"]).any()
    for trial in plan.trials:
        rows = frame[frame.id == trial.id]
        assert set(rows[rows.split == "val"].epoch) == set(range(1, trial.epochs + 1))
        assert rows[rows.split == "test"].epg.between(0, 1).all()
        assert (rows.sweep == "tiny").all()
        assert rows[["host", "device", "mgsweep_version", "torch_version", "started"]].notna().all().all()
        assert (rows.seconds > 0).all()
        assert (rows.peak_memory > 0).all()
        assert store.kept(trial.id) == set(rows[rows.split == "test"].epoch)
    assert not list(store.path.glob("running/*"))
    assert "done" in store.log(plan.trials[0].id).read_text()


@pytest.mark.parametrize("stop_after", range(1, 12, 3))
def test_interrupted_anywhere_it_ends_with_the_same_rows(sweep: Path, tmp_path: Path, stop_after: int) -> None:
    plan = load(sweep, only=["model=bcos", "loss=energy"])
    whole, cut = Store(tmp_path / "whole" / "tiny"), Store(tmp_path / "cut" / "tiny")
    run(plan, whole)
    interrupted = Recorder(stop_after)
    try:
        run(plan, cut, interrupted)
    except KeyboardInterrupt:
        assert len(cut.finished()) < 2 or stop_after > 7
        again = Recorder()
        run(plan, cut, again)
        total = Recorder()
        run(plan, Store(tmp_path / "count" / "tiny"), total)
        assert interrupted.epochs + again.epochs == total.epochs, "an epoch was trained twice, or not at all"
    pd.testing.assert_frame_equal(measured(cut), measured(whole), check_exact=True)


def test_again_there_is_nothing_to_do(sweep: Path, tmp_path: Path) -> None:
    plan, store = load(sweep), Store(tmp_path / "tiny")
    run(plan, store)
    agenda = runner.agenda(plan, store)
    assert (len(agenda.done), agenda.to_run) == (6, ())


def test_extending_runs_only_what_is_new(sweep: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "tiny")
    run(load(sweep), store)
    before = {file: file.stat().st_mtime_ns for file in store.path.glob("trials/*")}
    sweep.write_text(sweep.read_text().replace("lambda_loc: 0.01", "lambda_loc: [0.01, 0.02]"))
    more = Recorder()
    assert run(load(sweep), store, more).finished == 4
    assert len([event for event in more.events if event[0] == "started"]) == 4
    assert all(file.stat().st_mtime_ns == time for file, time in before.items())
    assert len(store.planned()) == 10


def test_a_new_depth_measures_the_old_baselines_without_training(sweep: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "tiny")
    sweep.write_text(
        sweep.read_text().replace(
            "model: [vanilla, bcos], attribution: [ixg, bcos]", "model: [bcos], attribution: [bcos]"
        )
    )
    run(load(sweep), store)
    (baseline,) = load(sweep).baselines
    trained = store.rows(baseline.id)
    sweep.write_text(sweep.read_text().replace("depth: final", "depth: [final, input]"))
    plan = load(sweep)
    assert {trial.id for trial in runner.agenda(plan, store).to_run} >= {baseline.id}
    run(plan, store)
    rows = store.rows(baseline.id)
    assert rows[: len(trained)] == trained
    assert [(row["split"], row["probe_depth"]) for row in rows[len(trained) :]] == [("val", "input"), ("test", "input")]
    assert runner.agenda(plan, store).to_run == ()


def test_a_record_that_lacks_a_probe_and_has_no_weights_is_made_anew(sweep: Path, tmp_path: Path) -> None:
    """As of a store that was copied without its checkpoints."""
    store = Store(tmp_path / "tiny")
    run(load(sweep, only=["model=bcos", "loss=energy"]), store)
    shutil.rmtree(store.path / "checkpoints")
    sweep.write_text(sweep.read_text().replace("depth: final", "depth: [final, input]"))
    plan = load(sweep, only=["model=bcos", "loss=energy"])
    assert run(plan, store).finished == 2  # the baseline, and its child at the new depth
    assert runner.agenda(plan, store).to_run == ()


def test_measuring_an_old_baseline_may_be_interrupted_too(sweep: Path, tmp_path: Path) -> None:
    """Its state is read back from a checkpoint that was begun from a record."""
    whole, cut = Store(tmp_path / "whole" / "tiny"), Store(tmp_path / "cut" / "tiny")
    first = load(sweep, only=["model=bcos", "loss=energy"])
    sweep.write_text(sweep.read_text().replace("depth: final", "depth: [final, input]"))
    more = load(sweep, only=["model=bcos", "loss=energy"])
    for store in (whole, cut):
        run(first, store)
    run(more, whole)
    with pytest.raises(KeyboardInterrupt):
        run(more, cut, Recorder(1))
    run(more, cut)
    assert not list(cut.path.glob("damaged/*"))
    pd.testing.assert_frame_equal(measured(cut), measured(whole), check_exact=True)


@pytest.mark.parametrize("damaged", [["checkpoint.pt"], ["checkpoint.pt", "previous.pt"]], ids=["newest", "both"])
def test_F37_from_a_damaged_checkpoint_it_ends_with_the_same_rows(
    sweep: Path, tmp_path: Path, damaged: list[str]
) -> None:
    plan = load(sweep, only=["model=bcos", "loss=energy"])
    whole, cut = Store(tmp_path / "whole" / "tiny"), Store(tmp_path / "cut" / "tiny")
    run(plan, whole)
    with pytest.raises(KeyboardInterrupt):
        run(plan, cut, Recorder(3))
    (folder,) = cut.path.glob("running/*")
    for name in damaged:
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)
    assert run(plan, cut).failed == 0
    assert len(list(cut.path.glob("damaged/*.reason"))) == len(damaged)
    pd.testing.assert_frame_equal(measured(cut), measured(whole), check_exact=True)


def test_a_failing_trial_sinks_neither_the_sweep_nor_its_cousins(sweep: Path, tmp_path: Path) -> None:
    """One baseline diverges: its children cannot run, the others do."""
    sweep.write_text(
        sweep.read_text() + "    when: [{if: {model: bcos}, then: {learning_rate: 1e-3}}]\n"
        "  - {model: vanilla, loss: none, learning_rate: 1e+20, seed: 5}\n"
    )
    plan, store, listener = load(sweep), Store(tmp_path / "tiny"), Recorder()
    outcome = run(plan, store, listener)
    assert (outcome.finished, outcome.failed, outcome.unfinished) == (6, 1, 0)
    ((name, failure),) = store.failures().items()
    assert failure["cause"] == "diverged"
    assert "no longer finite" in failure["error"]
    assert "Traceback" in failure["traceback"]
    assert any(kind == "failed" and "no longer finite" in error for kind, error in listener.events)
    agenda = runner.agenda(plan, store)
    assert (agenda.failed, agenda.to_run) == ({name}, ())
    assert [trial.id for trial in runner.agenda(plan, store, retry=["diverged"]).to_run] == [name]


def test_children_of_a_failed_baseline_are_blocked(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = execution.guided_training

    def fails_on_vanilla(trial: Trial, *arguments: Any, **options: Any) -> Any:
        if trial.model == "vanilla":
            raise ZeroDivisionError("a bug")
        return real(trial, *arguments, **options)

    monkeypatch.setattr(execution, "guided_training", fails_on_vanilla)
    store = Store(tmp_path / "tiny")
    assert run(load(sweep), store) == Outcome(finished=3, failed=1, blocked=2, unfinished=0)
    (failure,) = store.failures().values()
    assert (failure["cause"], failure["error"]) == ("bug", "ZeroDivisionError: a bug")
    agenda = runner.agenda(load(sweep), store)
    assert (len(agenda.failed), len(agenda.blocked), agenda.to_run) == (1, 2, ())


def test_a_trial_is_trained_by_one_process_at_a_time(sweep: Path, tmp_path: Path) -> None:
    plan, store = load(sweep), Store(tmp_path / "tiny")
    places = Places(store.path, plan.data)
    first = execute(plan.trials[0], places)
    next(first)
    with pytest.raises(Busy):
        next(execute(plan.trials[0], places))
    assert store.failures() == {}
    first.close()
    assert list(execute(plan.trials[0], places))


def test_preflight_reports_everything_and_writes_no_results(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MGSWEEP_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.delenv("MGSWEEP_DATA", raising=False)
    sweep.write_text(sweep.read_text().replace("data: {", "data: {voc2007: nowhere}  # {"))
    plan = load(sweep, ["weights=imagenet", "backbone=resnet50"])
    with pytest.raises(InvalidInput) as caught:
        run(plan, Store(tmp_path / "results" / "tiny"))
    said = str(caught.value)
    assert "nowhere" in said
    assert "resnet50-0676ba61.pth (torchvision, IMAGENET1K_V1) is not there" in said
    assert "resnet_50-f46c1a4159.pth (B-cos v2) is not there" in said
    assert not (tmp_path / "results").exists()


def test_room_for_trials() -> None:
    """A trial has all it asks for on one node, however much all nodes have together."""
    small, large = {"CPU": 2.0}, {"CPU": 16.0, "GPU": 3.0}
    assert preflight.slots(Resources(cpu=1), [small]) == 2
    assert preflight.slots(Resources(cpu=1, gpu=0.5), [small, large]) == 6
    assert preflight.slots(Resources(cpu=1, gpu=2), [large, large]) == 2
    assert [preflight.slots(Resources(cpu=0.1, gpu=share), [{"CPU": 1.0, "GPU": 1.0}]) for share in (0.1, 0.2)] == [
        10,
        5,
    ]
    assert preflight.slots(Resources(gpu=4), [large, large]) == 0
    assert str(preflight.no_room(Resources(gpu=4), [small, large])) == (
        "resources.gpu: a trial asks for 4, the largest node has 3"
    )
    apart = [{"CPU": 16.0}, {"CPU": 2.0, "GPU": 1.0}]
    assert str(preflight.no_room(Resources(cpu=8, gpu=1), apart)) == (
        "resources: no node has the 8 CPUs and the 1 GPUs of a trial"
    )
    assert "resources.cpu: a trial asks for 1, the largest node has 0" in str(preflight.no_room(Resources(), []))


def test_a_guided_trial_starts_from_its_baseline_or_where_that_started(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights that are drawn from the seed are given as None."""
    store, starts = Store(tmp_path / "results" / "tiny"), {}
    trained = execution.guided_training

    def spied(trial: Trial, data: Data, **options: Any) -> Iterator[Epoch]:
        starts[trial.start, trial.guided] = options["start"]
        return trained(trial, data, **options)

    monkeypatch.setattr(execution, "guided_training", spied)
    for start in ("baseline", "weights"):
        plan = load(sweep, [f"start={start}"], only=["model=vanilla", "loss=energy"])
        run(plan, store)
    (baseline,) = plan.baselines
    best = load_weights(store.weights(baseline.id, best_epoch(store.rows(baseline.id))))
    assert starts["baseline", False] is starts["weights", True] is None
    assert starts["baseline", True].keys() == best.keys()
    assert all(torch.equal(starts["baseline", True][name], best[name]) for name in best)


def test_masks_that_are_not_there_are_missed_before_anything_is_trained(sweep: Path, tmp_path: Path) -> None:
    plan = load(sweep, ["guidance_source=mask"])
    with pytest.raises(InvalidInput, match="no training image has a segmentation; add them, or guide by box"):
        preflight.check(plan.trials, Places(tmp_path, plan.data))
