"""--until and --budget: how they are read, what they count, and that nothing is handed out that would not fit."""

from __future__ import annotations

import datetime
import time
from pathlib import Path

import pytest
from chaos import Silent
from replay import SECONDS, Replay, plan

from mgsweep import runner
from mgsweep.errors import InvalidInput
from mgsweep.runner import Outcome, Places, local
from mgsweep.runner.limits import Limits, limits
from mgsweep.store import Store

HOUR = 3600.0
BASELINE = 3 * 2 * SECONDS + SECONDS  # three epochs of training and validation, the test of the best
"""What a simulated baseline of three epochs claims to have taken, in seconds."""


def run(store: Store, allowed: Limits, count: int = 6, epochs: int = 3) -> Outcome:
    planned = plan(count, epochs=epochs, children=0)
    agenda = runner.agenda(planned, store)
    store.begin(planned.text, planned.trials)
    return local.run(agenda, Places(store.path), Silent(), planned.resources, Replay(), limits=allowed)


def test_what_the_user_writes() -> None:
    assert limits(None, None) == Limits()
    assert not limits(None, None).given
    assert limits(None, "40h") == limits(None, "40") == Limits(gpu_hours=40)
    soon = datetime.datetime.now() + datetime.timedelta(hours=1)
    assert limits(soon.isoformat(), None).until == pytest.approx(soon.timestamp())
    assert limits(str(int(soon.timestamp())), None).until == int(soon.timestamp())
    for minutes in (-10, 10):
        moment = datetime.datetime.now() + datetime.timedelta(minutes=minutes)
        ahead = limits(f"{moment:%H:%M}", None).until - time.time()
        assert ahead == pytest.approx(60 * minutes + (86400 if minutes < 0 else 0), abs=61)


@pytest.mark.parametrize(
    ("until", "budget", "said"),
    [
        ("soon", None, "--until: expected a time such as"),
        ("2020-01-01T00:00", None, "--until: 2020-01-01 00:00 is over"),
        (None, "much", "--budget: expected GPU hours such as 40h, got 'much'"),
        (None, "0h", "--budget: expected GPU hours"),
    ],
)
def test_what_cannot_be_meant(until: str | None, budget: str | None, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        limits(until, budget)


def test_a_budget_holds_over_all_runs_and_nothing_begins_that_would_not_fit(tmp_path: Path) -> None:
    store = Store(tmp_path)
    allowed = Limits(gpu_hours=3.5 * BASELINE / HOUR)
    outcome = run(store, allowed)
    assert (outcome.finished, outcome.unfinished, outcome.code) == (3, 3, 75)
    assert "--budget" in outcome.stopped
    again = run(Store(tmp_path), allowed)
    assert (again.finished, again.unfinished) == (0, 3), "the budget began anew"
    assert run(store, Limits(gpu_hours=10 * BASELINE / HOUR)).finished == 3


def test_no_trial_begins_that_would_end_too_late(tmp_path: Path) -> None:
    """As the store's own timings say: its trials take ten seconds each."""
    store = Store(tmp_path)
    run(store, Limits(), count=2)
    late = run(store, Limits(until=time.time() + BASELINE / 2))
    assert (late.finished, late.unfinished, late.code) == (0, 4, 75)
    assert "--until" in late.stopped
    assert run(store, Limits(until=time.time() + 100 * BASELINE)).finished == 4


def test_until_is_reached(tmp_path: Path) -> None:
    over = run(Store(tmp_path), Limits(until=time.time() - 1))
    assert (over.finished, over.stopped, over.code) == (0, "--until is reached", 75)
