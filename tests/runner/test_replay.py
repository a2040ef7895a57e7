"""Simulated trials through all of orchestration: store, locks, Ray. Only training is replaced, by recorded rows."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from chaos import Silent
from replay import Mishap, Replay, plan, row_of

from mgsweep import runner
from mgsweep.best import best_epoch
from mgsweep.plan import Plan
from mgsweep.runner import Outcome, Places, cluster, local
from mgsweep.runner.execution import execute
from mgsweep.store import Store
from mgsweep.trial import Trial


def run(planned: Plan, store: Store, training: Replay, on: Any, listener: Silent | None = None) -> Outcome:
    agenda = runner.agenda(planned, store)
    store.begin(planned.text, planned.trials)
    return on.run(agenda, Places(store.path.resolve()), listener or Silent(), planned.resources, training=training)


def frame(store: Store) -> pd.DataFrame:
    return store.frame().drop(columns=["started"])


class Counting(Silent):
    """Counts, at the end of the last of so many trials, those that Tune still has in memory."""

    def __init__(self, trials: int) -> None:
        self._left, self.remembered = trials, 0

    def started(self, trial: Trial) -> None:
        sys.modules["mgsweep.runner.plan_on_tune"].REMEMBERED = 1  # type: ignore[attr-defined]

    def finished(self, trial: Trial) -> None:
        self._left -= 1
        if not self._left:
            gc.collect()
            self.remembered = sum(type(x).__module__ == "ray.tune.experiment.trial" for x in gc.get_objects())


def test_on_ray_as_in_this_process(tmp_path: Path) -> None:
    planned, here, there = plan(12), Store(tmp_path / "here" / "x"), Store(tmp_path / "there" / "x")
    assert run(planned, here, Replay(), local) == Outcome(12, 0, 0, 0)
    counting = Counting(12)
    assert run(planned, there, Replay(), cluster, counting) == Outcome(12, 0, 0, 0)
    pd.testing.assert_frame_equal(frame(there), frame(here))
    assert frame(here)[frame(here).split == "val"].f1.nunique() > 20
    assert runner.agenda(planned, there).to_run == ()
    assert 0 < counting.remembered < 20  # some objects each, of those that run and the one that has just ended


def test_the_last_epoch_is_safe_in_the_record_and_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial, store, saved = plan(1, epochs=2).trials[0], Store(tmp_path / "store"), list[str]()
    save = Store.save
    monkeypatch.setattr(Store, "save", lambda self, *given: (saved.append(given[0]), save(self, *given)))
    rows = [(row["published"], store.is_done(trial)) for row in execute(trial, Places(store.path), training=Replay())]
    assert rows == [(False, False), (False, False), (True, True)]
    assert saved == [trial.id] * 2


def test_what_is_told_is_validation_and_in_the_end_that_of_the_best_epoch(tmp_path: Path) -> None:
    baseline, child = plan(2, epochs=5).trials
    store = Store(tmp_path / "store")
    list(execute(baseline, Places(store.path), training=Replay()))
    told = list(execute(child, Places(store.path), training=Replay()))
    validated = [row_of(child, epoch, "val") for epoch in range(1, 6)]
    assert [(row["f1"], row["epg"]) for row in told[:5]] == [(row["f1"], row["epg"]) for row in validated]
    best = validated[best_epoch(validated) - 1]
    assert (told[-1]["f1"], told[-1]["epg"], told[-1]["published"]) == (best["f1"], best["epg"], True)
    assert {row["split"] for row in told} == {"val"}


def test_what_was_acknowledged_is_stored_and_a_bug_harms_only_its_trial(tmp_path: Path) -> None:
    planned, store = plan(6), Store(tmp_path / "store")
    training = Replay(notes=tmp_path, mishaps={planned.trials[3].id: Mishap("bug")})
    assert run(planned, store, training, local) == Outcome(5, 1, 0, 0)
    rows = store.frame()
    stored = set(zip(rows.id, rows.epoch, rows.split, strict=True))
    said = [line for line in training.acknowledged() if line[0] != planned.trials[3].id]
    assert set(said) <= stored
    assert len(said) == len(set(said)) > 15
    assert training.attempts(planned.trials[3]) == 1


@pytest.mark.parametrize("kind", ["bug", "diverged", "memory"])
def test_mishaps_have_their_cause(tmp_path: Path, kind: str) -> None:
    planned, store = plan(1), Store(tmp_path / "store")
    run(planned, store, Replay(notes=tmp_path, mishaps={planned.trials[0].id: Mishap(kind)}), local)
    assert store.failures()[planned.trials[0].id]["cause"] == kind
