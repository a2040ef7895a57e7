"""Searches from file to records, with a simulated training: deterministic, killed, resumed, beside other sweeps."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hills import training

from mgsweep import search
from mgsweep.errors import Diverged, InvalidInput
from mgsweep.plan import Plan, load
from mgsweep.runner import Outcome, Places, execution, local
from mgsweep.search.schedule import Searching
from mgsweep.store import Store
from mgsweep.trial import Trial

COMMON = """
common: {dataset: shapes, model: bcos, attribution: bcos, depth: final, backbone: resnet10, image_size: 32}
baseline: {epochs: 2, learning_rate: 1e-4}
guided: {epochs: 4}
"""
SPACE = """
search:
  space:
    loss: [energy, l1]
    lambda_loc: {energy: {log: [1e-4, 1e-1]}, l1: {log: [1e-4, 1e-1]}}
    learning_rate: {log: [1e-5, 1e-3]}
  budget: {trials: %d}
  sampler: %s
"""
STOP = "early_stop: {at: [1, 2]}\n"
GRID = "grids: [{loss: [energy, l1], lambda_loc: [1e-3, 1e-2], learning_rate: [1e-4, 3e-4]}]\n"


class Silent:
    """A listener that counts."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended: dict[str, str] = {}

    def started(self, trial: Trial) -> None:
        self.begun.append(trial.id)

    def progressed(self, trial: Trial, row: dict[str, Any]) -> None: ...

    def finished(self, trial: Trial) -> None:
        self.ended[trial.id] = "done"

    def stopped(self, trial: Trial) -> None:
        self.ended[trial.id] = "stopped"

    def failed(self, trial: Trial, error: str) -> None:
        self.ended[trial.id] = "failed"

    def repeated(self, trial: Trial, error: str) -> None: ...

    def left(self, trial: Trial) -> None: ...


def plan_of(folder: Path, text: str, name: str = "hunt") -> Plan:
    file = folder / f"{name}.yaml"
    file.write_text(COMMON + text)
    return load(file)


def run(plan: Plan, store: Store, train: Any = training, **options: Any) -> tuple[Outcome, Silent]:
    agenda, listener = search.agenda(plan, store, **options), Silent()
    store.begin(plan.text, (*plan.trials, *agenda.to_run))
    for trial_id in agenda.continued:
        store.go_on(trial_id)
    return local.run(agenda, Places(store.path), listener, plan.resources, train), listener


def tried(store: Store) -> list[Trial]:
    return [trial for trial in store.planned() if trial.guided]


def frame(store: Store) -> pd.DataFrame:
    return store.frame(stopped=True).drop(columns=["started"])


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is killed here is a process, not the machine: nothing is to be forced onto the disk."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def test_a_search_from_file_to_records(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, SPACE % (14, "tpe") + STOP)
    store = Store(tmp_path / "results" / "hunt")
    outcome, heard = run(plan, store)
    assert outcome.unfinished == 0
    assert len(tried(store)) == 14 == len({trial.id for trial in tried(store)})
    assert len(heard.begun) == 15 == len(set(heard.begun))
    assert set(heard.ended.values()) == {"done", "stopped"}
    assert set(store.frame().id) | store.stopped() == set(heard.ended)


def test_again_there_is_nothing_to_do_and_more_budget_goes_on(tmp_path: Path) -> None:
    store = Store(tmp_path / "results" / "hunt")
    plan = plan_of(tmp_path, SPACE % (12, "tpe"))
    run(plan, store)
    assert not search.agenda(plan, store).wanting
    first = tried(store)
    more = plan_of(tmp_path, SPACE % (16, "tpe"))
    expected = search.suggestions(more, store, 1)
    assert tried(store) == first, "asking writes nothing"
    run(more, store)
    assert tried(store)[:12] == first
    assert len(tried(store)) == 16
    assert tried(store)[12] == expected[0]
    run(more, whole := Store(tmp_path / "whole" / "hunt"))
    assert tried(whole) == tried(store), "a study made from records answers as the one that lived on"


@pytest.mark.parametrize("early_stop", ["", STOP], ids=["to the end", "early stop"])
def test_killed_at_any_moment_it_ends_with_the_same_trials(tmp_path: Path, early_stop: str) -> None:
    """SIGKILL at twelve random moments: the plan, the records and the stopped trials equal an undisturbed search's."""
    plan = plan_of(tmp_path, SPACE % (14, "tpe") + early_stop)
    whole, cut = Store(tmp_path / "whole" / "hunt"), Store(tmp_path / "cut" / "hunt")
    begun = time.monotonic()
    run(plan, whole)
    longest = max(0.1, (time.monotonic() - begun) / 5)  # several kills fall into a run
    fork, chance = multiprocessing.get_context("fork"), random.Random(early_stop)
    kills = 0
    for _ in range(60):
        process = fork.Process(target=run, args=(plan, cut))
        process.start()
        process.join(chance.uniform(0.02, longest) if kills < 12 else None)
        if process.exitcode is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.join()
        if process.exitcode == 0:
            break
    assert process.exitcode == 0
    assert kills >= 3
    assert [trial.id for trial in tried(cut)] == [trial.id for trial in tried(whole)]
    pd.testing.assert_frame_equal(frame(cut), frame(whole))
    assert cut.stopped() == whole.stopped()
    assert bool(whole.stopped()) == bool(early_stop)


@pytest.mark.parametrize("slots", [3])
def test_in_parallel_what_runs_is_known(tmp_path: Path, slots: int) -> None:
    """Trials end in any order: each runs once, after the baselines, and the same order gives the same trials."""
    plan = plan_of(tmp_path, SPACE % (20, "tpe"))
    orders = []
    for name in ("a", "b"):
        store, chance = Store(tmp_path / name / "hunt"), random.Random(slots)
        agenda = search.agenda(plan, store)
        store.begin(plan.text, agenda.to_run)
        schedule, begun = agenda.schedule(), []
        assert isinstance(schedule, Searching)
        while not schedule.settled:
            while len(schedule.running) < slots and (trial := schedule.next()):
                assert trial.guided == bool(begun)
                assert trial.id in {planned.id for planned in store.planned()}, "it is written down before it runs"
                begun.append(trial.id)
            trial = chance.choice(list(schedule.running.values()))
            if chance.random() < 0.2 and trial.guided:
                schedule.fail(trial)
            else:
                list(execution.execute(trial, Places(store.path), 1, training))
                schedule.finish(trial)
        orders.append(begun)
        assert len(begun) == 21 == len(set(begun))
        assert schedule.unfinished == 0
    assert orders[0] == orders[1]


def test_trials_of_other_sweeps_count_and_are_not_run_again(tmp_path: Path) -> None:
    grid = plan_of(tmp_path, GRID, "grid")
    run_grid = Store(tmp_path / "results" / "grid")
    run(grid, run_grid)
    cells = GRID + "search: {budget: {trials: 99}}\n"
    hunt = Store(tmp_path / "results" / "hunt")
    outcome, listener = run(plan_of(tmp_path, cells), hunt)
    assert (outcome.unfinished, tried(hunt)) == (0, []), "all cells are there"
    assert len(listener.begun) == 1, "but its own baseline"
    wide = plan_of(tmp_path, SPACE % (3, "tpe"), "wide")
    without = search.suggestions(wide, Store(tmp_path / "nowhere" / "wide"), 3)
    with_it = search.suggestions(wide, Store(tmp_path / "results" / "wide"), 3)
    assert with_it != without
    planned_only = Store(tmp_path / "planned" / "grid")
    planned_only.begin(grid.text, grid.trials)
    outcome, _ = run(plan_of(tmp_path, cells), fresh := Store(tmp_path / "planned" / "hunt"))
    assert len(tried(fresh)) == len(grid.guided), "what another sweep has only planned is nobody's yet"


def test_a_loss_that_only_another_sweep_tried_has_no_place(tmp_path: Path) -> None:
    """A lambda is placed by its loss, and the search has no lambdas for this one."""
    beside = plan_of(tmp_path, GRID.replace("l1", "ppce"), "grid")
    run(beside, Store(tmp_path / "results" / "grid"))
    plan = plan_of(tmp_path, SPACE % (3, "tpe"))
    assert plan.space
    assert {trial.loss for trial in beside.guided if plan.space.place(trial) is not None} == {"energy"}
    run(plan, hunt := Store(tmp_path / "results" / "hunt"))
    assert len(tried(hunt)) == 3


def test_a_failing_trial_is_avoided_and_a_failing_baseline_ends_the_search(tmp_path: Path) -> None:
    def some_fail(trial: Trial, places: object, **options: Any) -> Any:
        if trial.loss == "l1":
            raise Diverged("the loss is no longer finite")
        return training(trial, places, **options)

    def none_start(trial: Trial, places: object, **options: Any) -> Any:
        raise ZeroDivisionError("a bug")

    plan = plan_of(tmp_path, SPACE % (30, "tpe"))
    outcome, listener = run(plan, store := Store(tmp_path / "some" / "hunt"), some_fail)
    failed = [name for name, how in listener.ended.items() if how == "failed"]
    assert 0 < len(failed) < 14
    assert (outcome.failed, outcome.unfinished) == (len(failed), 0)
    assert not search.agenda(plan, store).to_run
    outcome, listener = run(plan, Store(tmp_path / "none" / "hunt"), none_start)
    assert len(listener.begun) == 1
    assert (outcome.failed, outcome.unfinished) == (1, 0)


def test_a_budget_of_epochs_pays_for_what_was_trained(tmp_path: Path) -> None:
    text = (SPACE % (1, "random")).replace("trials: 1", "epochs: 40")
    run(plan_of(tmp_path, text), whole := Store(tmp_path / "whole" / "hunt"))
    assert len(tried(whole)) == 10
    outcome, listener = run(plan_of(tmp_path, text + STOP), short := Store(tmp_path / "short" / "hunt"))
    assert outcome.unfinished == 0
    rows = short.frame(stopped=True)
    trained = rows[(rows.split == "train") & (rows.loss != "none")].groupby("id").epoch.max().sum()
    assert 40 <= trained < 44
    assert len(tried(short)) > 14
    assert len(short.stopped()) == list(listener.ended.values()).count("stopped") > 5


def test_what_does_not_fit_ends_the_suggestions_until_it_is_offered_again(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, SPACE % (3, "random"))
    schedule = search.agenda(plan, Store(tmp_path / "results" / "hunt")).schedule()
    baseline = schedule.next()
    assert baseline
    schedule.refuse(baseline)
    assert (schedule.next(), schedule.unfinished) == (None, 1)
    schedule.offer(baseline.id)
    assert schedule.unfinished == 2, "the baseline, and what is suggested after it"
    assert schedule.next() == baseline


# Early stop of a grid


def test_stopped_trials_are_apart_and_can_be_continued(tmp_path: Path) -> None:
    plan, store = plan_of(tmp_path, GRID + STOP, "grid"), Store(tmp_path / "results" / "grid")
    outcome, listener = run(plan, store)
    stopped = {name for name, how in listener.ended.items() if how == "stopped"}
    assert stopped == store.stopped()
    assert 2 <= len(stopped) < len(plan.guided)
    assert (outcome.finished, outcome.unfinished) == (len(plan.trials) - len(stopped), 0)
    assert not stopped & set(store.frame().id), "a frame without further ado holds whole trials only"
    both = store.frame(stopped=True)
    assert set(both[both.stopped].id) == stopped
    assert set(both[both.stopped].epoch) <= {1, 2}
    assert plan.baselines[0].id not in stopped
    agenda = search.agenda(plan, store)
    assert (agenda.stopped, agenda.to_run, agenda.wanting) == (stopped, (), False)
    outcome, listener = run(plan, store, continue_stopped=True)
    assert listener.ended == dict.fromkeys(stopped, "done")
    assert store.stopped() == set()
    run(plan_of(tmp_path, GRID, "grid"), whole := Store(tmp_path / "whole" / "grid"))
    pd.testing.assert_frame_equal(frame(store), frame(whole))


def test_losses_can_be_kept_from_competing(tmp_path: Path) -> None:
    """L1 is worse than Energy everywhere here; `per: [loss]` keeps its front in the picture."""
    together, apart = (Store(tmp_path / name / "grid") for name in ("together", "apart"))
    run(plan_of(tmp_path, GRID + STOP, "grid"), together)
    run(plan_of(tmp_path, GRID + "early_stop: {at: [1, 2], per: [loss]}\n", "grid"), apart)
    whole = [set(store.frame().loc[lambda rows: rows.loss == "l1", "id"]) for store in (together, apart)]
    assert len(whole[0]) < len(whole[1])


def test_a_store_of_another_space(tmp_path: Path) -> None:
    store = Store(tmp_path / "results" / "hunt")
    run(plan_of(tmp_path, SPACE % (3, "random")), store)
    other = plan_of(tmp_path, (SPACE % (3, "random")).replace("[1e-4, 1e-1]", "[1, 2]"))
    before = sorted(store.path.rglob("*"))
    with pytest.raises(InvalidInput, match="its 3 trials lie in another space than .*hunt.yaml describes"):
        search.agenda(other, store)
    assert sorted(store.path.rglob("*")) == before
